"""A model that answers in a conversation."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lm_jax.apps.chat import template as template_lib
from lm_jax.apps.chat.conversation import Conversation
from lm_jax.apps.chat.literal_tokens import Marks
from lm_jax.apps.chat.stop_buffer import StopBuffer, without
from lm_jax.apps.chat.template import ChatTemplate, Message
from lm_jax.generation import defaults, languages, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.generation.text_stream import Generated
from lm_jax.loaded_model import Trained
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT

# What is taken over of a model's generation_config.json. Its lengths would
# count the conversation, and a search with beams can't be shown as it comes.
_ADOPTED = (
  *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p"),
  *("epsilon_cutoff", "eta_cutoff", "renormalize_logits"),
  *("repetition_penalty", "no_repeat_ngram_size", "suppress_tokens"),
  *("begin_suppress_tokens", "bad_words_ids", "sequence_bias"),
  "decoder_start_token_id",
)
# Stand for a question, its answer and the next question.
_PROBES = ("\ue000q", "\ue000a", "\ue000n")


class Stopped(Exception):
  """Raised when the user stops an answer."""


class Answer(NamedTuple):
  """An answer; finish as in lm_jax.apps.chat.conversation.Turn."""

  text: str
  finish: str


class Read(NamedTuple):
  """The input of a model before it answers.

  dropped: how many of the oldest turns are not in the ids.
  plain: whether it is a text as it is, without a template and history.
  decoder, forced: what its decoder begins with, and the first new token; of a
    translation (lm_jax/generation/languages.py).
  """

  ids: list[int]
  dropped: int = 0
  plain: bool = False
  decoder: tuple[int, ...] = ()
  forced: int = ABSENT


class Assistant:
  """A model that answers in conversations.

  Args:
    source: its chat template.
    context: tokens of a conversation and its answer; 0: the model's context.

  Raises:
    UsageError: the template is none, or not for conversations.

  Attributes:
    languages: ids of the tokenizer's languages by name.
    defaults: what the model's generation_config.json says of options.
    room: tokens of a conversation and its answer.
    ends: ids that end an answer.
    stops: texts that do, which are no part of it.
  """

  def __init__(
    self, generator: Generator, source: template_lib.Source, context: int = 0
  ):
    model = generator.model
    if model.tokenizer is None:
      raise UsageError("--model: has no tokenizer files beside it")
    self._generator, self._model = generator, model
    self.languages = model.tokenizer.languages
    self._paired = model.spec.architecture == "encoder_decoder"
    self.room = _room(model, context)
    names = template_lib.variables(model.source, model.tokenizer)
    self.template = ChatTemplate(source, names)
    self._marks = Marks(model.tokenizer, self.template.literals())
    own = defaults.from_directory(model.source) if model.source else {}
    self.defaults = {name: own[name] for name in _ADOPTED if name in own}
    self.where = str(defaults.file_of(model.source)) if own else ""
    specials = model.spec.specials
    ends = {specials.end, *own.get("eos_token_id", ())}
    if not model.config.family:
      ends.add(specials.boundary)  # The next text begins.
    end, self.stops = self._after_an_answer()
    self.ends = tuple(sorted({*ends, end} - {ABSENT}))

  def encode(self, messages: Sequence[Message]) -> list[int]:
    """Encodes a conversation that the assistant continues.

    As Transformers' apply_chat_template has them, but for names of special
    tokens in messages, which are text (lm_jax/apps/chat/literal_tokens.py).
    """
    if not self.template.source.own:
      text = self.template.render(messages)
      return prompts.encode(self._model, [text], 0, "")[0]
    marked = [
      {"role": x["role"], "content": self._marks.mark(x["content"])}
      for x in messages
    ]
    return self._marks.encode(self.template.render(marked))

  def fit(
    self, conversation: Conversation, user: str, options: Generation
  ) -> Read:
    """Cuts a conversation to the context, and counts the turns left out.

    Whole turns are, from the oldest on, until there is room for
    max_new_tokens (but at most for half of the context). The system prompt
    and the last message stay.

    Raises:
      UsageError: these alone are too long.
    """
    reserve = min(options.max_new_tokens, max(1, self.room // 2))
    last = len(conversation.turns)

    def ids(start: int) -> list[int]:
      return self.encode(conversation.messages(start, user))

    def fits(start: int) -> bool:
      return self._left(ids(start)) >= reserve

    # More turns take more room.
    dropped = bisect.bisect_left(range(last), True, key=fits)
    prompt_ids = ids(dropped)
    if self._left(prompt_ids) < 1:
      raise self._too_long(len(prompt_ids))
    return Read(prompt_ids, dropped)

  def check_system(self, text: str, flag: str) -> None:
    """Raises UsageError where the template takes no system prompt.

    flag: names it in messages.
    """
    messages = [
      {"role": "system", "content": text},
      {"role": "user", "content": _PROBES[0]},
    ]
    try:
      rendered = self.template.render(messages)
    except UsageError as error:
      raise UsageError(
        f"{flag}: the model's template refuses it ({error}); say it in the"
        " first message"
      ) from None
    if text.strip() not in rendered:
      raise UsageError(
        f"{flag}: the model's template leaves it out; say it in the first"
        " message"
      )

  def plainly(self, text: str, source: str = "", target: str = "") -> Read:
    """Encodes a text as it is, without a template and without history.

    Args:
      source, target: languages, of a model whose tokenizer has such.
    """
    model, options, decoder = languages.between(
      self._model, Generation(), source, target
    )
    ids = prompts.encode(model, [text], 0, "")[0]
    if self._left(ids) < 1:
      raise self._too_long(len(ids))
    forced = options.forced_bos_token_id
    return Read(ids, 0, True, decoder, forced)

  def answer(
    self,
    read: Read,
    options: Generation,
    show: Callable[[str], None],
    asked: Callable[[], bool] = lambda: False,
  ) -> Answer:
    """Answers what was read.

    Args:
      read: of `fit` or `plainly`.
      options: checked.
      show: is given pieces of the answer as they come.
      asked: once it returns true, the answer ends within a few tokens.
    """
    # What the template writes does not end a text that has none of it.
    stops = () if read.plain else self.stops
    stop_buffer = StopBuffer(stops)

    def take(number: int, piece: str) -> None:
      del number  # There is one.
      stop_buffer.append(piece)
      show(stop_buffer.news())
      if asked():
        raise Stopped

    forced = options.forced_bos_token_id
    left = self._left(read.ids)
    options = dataclasses.replace(
      self._ending(options, stops),
      max_new_tokens=min(options.max_new_tokens, left),
      min_new_tokens=min(options.min_new_tokens, left),
      forced_bos_token_id=forced if read.forced == ABSENT else read.forced,
    )
    try:
      result = self._generator.continue_ids(
        [read.ids], options, read.decoder, show=take
      )[0]
      finish = result.finish
    except Stopped:
      finish = "stopped"
    show(stop_buffer.news(last=True))
    return Answer(stop_buffer.text, finish)

  def generate(
    self,
    conversations: Sequence[Sequence[Message]],
    options: Generation,
    show: Callable[[int, str], None] | None = None,
  ) -> list[Generated]:
    """Answers conversations like Generator.generate; none of them is cut."""
    stop_buffer = StopBuffer(self.stops)

    def take(number: int, piece: str) -> None:
      stop_buffer.append(piece)
      if show is not None:
        show(number, stop_buffer.news())

    results = self._generator.continue_ids(
      [self.encode(messages) for messages in conversations],
      self._ending(options, self.stops),
      show=take if show is not None else None,
    )
    if show is not None:
      show(0, stop_buffer.news(last=True))
    return [x._replace(text=without(x.text, self.stops)) for x in results]

  def close(self) -> None:
    self.template.close()

  def _ending(self, options: Generation, stops: Sequence[str]) -> Generation:
    return dataclasses.replace(
      options,
      eos_token_id=options.eos_token_id or self.ends,
      stop_strings=(*options.stop_strings, *stops),
    )

  def _left(self, ids: Sequence[int]) -> int:
    """Returns how many tokens an answer may have; below 1: none."""
    if self._paired and len(ids) > self.room:
      return self.room - len(ids)
    read = 1 if self._paired else len(ids)
    if not self._model.config.family:
      problem = prompts.lay_out(self._model, [ids])
      read = int((np.asarray(problem.inputs.segment_BxT) > 0).sum())
    return self.room - read + 1  # The last one is not read.

  def _too_long(self, count: int) -> UsageError:
    return UsageError(
      f"message: has {count} tokens with the system prompt and what stands"
      f" around it, and the context has room for {self.room}"
    )

  def _after_an_answer(self) -> tuple[int, tuple[str, ...]]:
    """Finds what the template puts between an answer and the next question.

    A special token at its begin ends answers; otherwise text does, so that a
    model does not speak for the user.
    """
    question, answer, following = _PROBES
    conversation = [
      {"role": "user", "content": question},
      {"role": "assistant", "content": answer},
      {"role": "user", "content": following},
    ]
    _, _, behind = self.template.render(conversation).partition(answer)
    between, _, _ = behind.partition(following)
    name, token = self._marks.first(between)
    if self.template.source.own and name:
      text, _, _ = between.partition(name)
      if not text.strip():
        return token, ()
      between = text
    return ABSENT, (between.rstrip(),) if between.strip() else ()


def _room(model: Trained, context: int) -> int:
  own = prompts.context(model)
  if own and context > own:
    raise UsageError(
      f"--context={context}: must be at most {own}, the model's own"
    )
  # Without a bound of its own a model has that of its rows in training.
  return context or own or model.config.length
