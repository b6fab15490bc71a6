"""Prompts to texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging

from lm_jax.generation import beam, languages, prompts, speculative
from lm_jax.generation import program as program_lib
from lm_jax.generation.options import Generation
from lm_jax.generation.prompts import Truncate
from lm_jax.generation.search import SearchArgs, SearchConfig
from lm_jax.generation.stops import Stops
from lm_jax.generation.text import IncrementalDecoder
from lm_jax.generation.text_stream import Generated, MakeDecoder, TextStream
from lm_jax.loaded_model import Trained
from lm_jax.models.unrolled import unrolled
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Problem

# Tokens between two looks at a text that streams, or that a string may stop.
_LOOK = 4


class Generator:
  """A model that continues prompts.

  Args:
    model: as lm_jax.inference.load loads it.
    draft: a smaller model with the same tokenizer, which guesses ahead.

  Raises:
    UsageError: it can't go on with a text, which says what it can do; or the
      draft reads other tokens, or in another way.

  Attributes:
    accepted, proposed: tokens of the draft's, in the last call.
  """

  def __init__(self, model: Trained, draft: Trained | None = None):
    prompts.require_generator(model)
    self.accepted = self.proposed = 0
    self._draft: tuple[Any, Any] | None = None
    if draft is not None:
      prompts.require_same_reading(model, draft)
      self._draft = unrolled(draft.measuring, draft.params)
    rooms = [prompts.context(m) for m in (model, draft) if m is not None]
    # Tokens that may be read; 0: any number.
    self._room = min((room for room in rooms if room), default=0)
    network, params = unrolled(model.measuring, model.params)
    self.model = model
    self.network, self.params = network, params

  def generate(
    self,
    texts: Sequence[str],
    options: Generation,
    truncate: Truncate = "",
    show: Callable[[int, str], None] | None = None,
    source_language: str = "",
    target_language: str = "",
  ) -> list[Generated]:
    """Generates num_return_sequences continuations of each text, in order.

    Args:
      texts: prompts.
      options: checked here.
      truncate: the side on which too long a prompt loses tokens.
      show: called with the number of a result and a piece of its text, which
        may be "", every few tokens; what it raises ends the generation. Not
        for a beam search, whose best text is known at its end.
      source_language, target_language: of a model that translates between the
        languages of its tokenizer; "" leaves them as they are.

    Raises:
      UsageError: an option or a prompt that is out of range.
    """
    options.check()
    if not texts:
      raise UsageError("prompts: there are none")
    if show is not None and options.beams:
      raise UsageError("num_beams: a beam search can't be shown as it comes")
    model, options, decoder = languages.between(
      self.model, options, source_language, target_language
    )
    # What a decoder reads first leaves it room for a token at least.
    ids = prompts.encode(model, texts, self._room, truncate)
    return self.continue_ids(ids, options, decoder, show)

  def continue_ids(
    self,
    ids: Sequence[Sequence[int]],
    options: Generation,
    decoder: Sequence[int] = (),
    show: Callable[[int, str], None] | None = None,
  ) -> list[Generated]:
    """Generates like `generate`, from ids, special ones included.

    decoder: of an imported encoder_decoder, what its decoder begins with.
    """
    options.check()
    if self.model.tokenizer is None and (options.stop_strings or show):
      raise UsageError("stop_strings: the model has no tokenizer files")
    self._check_ids(ids, options)
    decoder = self.decoder_prompt(options, decoder)
    problem = prompts.lay_out(self.model, ids, decoder)
    limit = self._limit(problem, options)
    pad = self.model.spec.specials.pad
    search_config = SearchConfig(
      options.static(self._draft is not None),
      self._ends(options),
      pad,
      self._stops(options),
    )
    longest = _longest(problem)
    # As Transformers counts: a forced token is before the first.
    forced = longest == 1 and options.forced_bos_token_id >= 0
    if options.forced_bos_token_id >= 0 and not forced:
      logging.warning(
        "forced_bos_token_id=%d: is forced where one token is read before it,"
        " as Transformers does; here %d are",
        options.forced_bos_token_id,
        longest,
      )
    search_args = SearchArgs(
      np.int32(limit),
      np.int32(max(options.min_new_tokens, options.min_length - longest)),
      {name: np.float32(x) for name, x in options.values.items()},
      jax.random.key(options.seed),
      np.int32(forced),
    )
    if self._draft is not None:
      options.check_draft()
      return self._by_draft(
        ids, decoder, search_config, search_args, limit, options, show
      )
    program = program_lib.Program(
      (self.network,), search_config, program_lib.slots(problem, limit)
    )
    if options.beams:
      state = program.run((self.params,), search_args, problem, limit)
      return self._of_beams(state, options, limit)
    followed = bool(options.stop_strings) or show is not None
    step = _LOOK if followed else limit
    texts = [
      TextStream(
        prompt, self._make_decoder(ids[prompt]), options, search_config.ends
      )
      for prompt in range(len(ids))
      for _ in range(options.num_return_sequences)
    ]
    state, done = None, 0
    while done < limit:
      done = min(limit, done + step)
      state = program.run((self.params,), search_args, problem, done, state)
      self._follow(texts, state, done == limit, show)
      if all(text.finish for text in texts):
        break
    return [text.result() for text in texts]

  def decoder_prompt(
    self, options: Generation, given: Sequence[int] = ()
  ) -> Sequence[int]:
    """Returns what an imported encoder_decoder's decoder reads first.

    Args:
      options: decoder_start_token_id counts.
      given: wins over it.

    Returns:
      ids; () for the model's own start token, and for all other models.
    """
    start = options.decoder_start_token_id
    if start >= 0 and not given and self._reads_twice:
      return (start,)
    return given

  def _by_draft(
    self, ids, decoder, search_config, search_args, limit, options, show
  ) -> list[Generated]:
    """Generates one text after the other, each with the draft's guesses."""
    assert self._draft is not None
    network, params = self._draft
    self.accepted = self.proposed = 0
    results: list[Generated] = []
    for prompt, tokens in enumerate(ids):
      problem = prompts.lay_out(self.model, [tokens], decoder)
      # A round may choose more than is asked for.
      slots = program_lib.slots(problem, limit + options.draft_tokens + 1)
      program = program_lib.Program(
        (self.network, network), search_config, slots
      )
      for _ in range(options.num_return_sequences):
        number = len(results)
        own = search_args._replace(
          key=jax.random.fold_in(search_args.key, number)
        )
        text = TextStream(
          prompt, self._make_decoder(tokens), options, search_config.ends
        )
        followed = bool(options.stop_strings) or show is not None
        state: Any = None
        done = 0
        while done < limit and not text.finish:
          done = min(limit, done + _LOOK) if followed else limit
          state = program.run((self.params, params), own, problem, done, state)
          length, chosen = int(state.text.length), int(state.chosen)
          new = np.asarray(state.text.tokens_BxS)[0, length - chosen : length]
          logs = np.asarray(state.logs_S)[length - chosen : length]
          last = done == limit or chosen >= limit
          piece = text.grow(new[:limit].tolist(), logs.tolist(), last)
          if show is not None:
            show(number, piece)
        accepted, proposed = speculative.acceptance(state)
        self.accepted += accepted
        self.proposed += proposed
        results.append(text.result())
    return results

  def _follow(self, texts, state, last: bool, show) -> None:
    """Adds new tokens to the texts, and passes new pieces to `show`."""
    length, chosen = int(state.text.length), int(state.chosen)
    new_RxN = np.asarray(state.text.tokens_BxS)[:, length - chosen : length]
    logs_RxN = np.asarray(state.logs_RxS)[:, length - chosen : length]
    for number, text in enumerate(texts):
      piece = text.grow(
        new_RxN[number].tolist(), logs_RxN[number].tolist(), last
      )
      if show is not None:
        show(number, piece)

  def _of_beams(
    self, state: beam.State, options: Generation, limit: int
  ) -> list[Generated]:
    """Returns the best num_return_sequences texts of each prompt."""
    batch = state.scores_BxGxN.shape[0]
    scores_BxM = np.asarray(state.scores_BxGxN).reshape(batch, -1)
    sizes_BxM = np.asarray(state.sizes_BxGxN).reshape(batch, -1)
    ids_BxMxL = np.asarray(state.done_BxGxNxL).reshape(
      batch, scores_BxM.shape[1], -1
    )
    results = []
    ends = self._ends(options)
    for prompt in range(batch):
      order = np.argsort(-scores_BxM[prompt], kind="stable")
      for m in order[: options.num_return_sequences]:
        ids = ids_BxMxL[prompt, m, : sizes_BxM[prompt, m]].tolist()
        text = TextStream(prompt, self._make_decoder(()), options, ends)
        text.grow(ids, [0.0] * len(ids), last=True)
        score = float(scores_BxM[prompt, m])
        results.append(text.result()._replace(score=score))
    return results

  def _stops(self, options: Generation) -> Stops | None:
    """Returns the stops of a beam search, which ends its texts itself."""
    tokenizer = self.model.tokenizer
    if not options.beams or not options.stop_strings or tokenizer is None:
      return None
    return Stops.from_strings(tokenizer, options.stop_strings)

  @property
  def _reads_twice(self) -> bool:
    """Returns whether the model is an imported encoder-decoder."""
    paired = self.model.spec.architecture == "encoder_decoder"
    return paired and bool(self.model.config.family)

  def _make_decoder(self, prompt: Sequence[int]) -> MakeDecoder | None:
    tokenizer = self.model.tokenizer
    if tokenizer is None:
      return None
    paired = self.model.spec.architecture == "encoder_decoder"
    before = () if paired else prompt
    return lambda special: IncrementalDecoder(tokenizer, before, special)

  def _limit(self, problem: Problem, options: Generation) -> int:
    """Returns how many tokens can be chosen.

    The context may end it before the options do, which is logged.
    """
    longest = _longest(problem)
    limit = options.max_new_tokens
    if options.max_length:
      if options.max_length <= longest:
        raise UsageError(
          f"--max_length={options.max_length}: the prompt alone has {longest}"
          " tokens; --max_new_tokens counts new ones only"
        )
      limit = options.max_length - longest
    room = self._room
    # The last token is chosen and not read.
    if room and longest + limit - 1 > room:
      left = room - longest + 1
      if left < 1:
        raise UsageError(
          f"prompt: {longest} tokens are read before the first new one, and"
          f" the model's context has room for {room}; --truncate=left keeps"
          " the end of a prompt"
        )
      logging.warning(
        "max_new_tokens=%d: the context of %d tokens leaves room for %d",
        limit,
        room,
        left,
      )
      limit = left
    return limit

  def _ends(self, options: Generation) -> tuple[int, ...]:
    if options.eos_token_id:
      return tuple(i for i in options.eos_token_id if i >= 0)
    specials = self.model.spec.specials
    ends = {specials.end}
    if not self.model.config.family:
      ends.add(specials.boundary)  # The next text begins.
    return tuple(sorted(ends - {ABSENT}))

  def _check_ids(
    self, ids: Sequence[Sequence[int]], options: Generation
  ) -> None:
    size = self.model.spec.vocabulary
    if not ids or not all(map(len, ids)):
      raise UsageError("prompts: there are none, or one without a token")
    for name, numbers in (
      ("prompts", [i for prompt in ids for i in prompt]),
      ("eos_token_id", [max(i, 0) for i in options.eos_token_id]),
      ("suppress_tokens", options.suppress_tokens),
      ("begin_suppress_tokens", options.begin_suppress_tokens),
      ("bad_words_ids", [i for ids in options.bad_words_ids for i in ids]),
      ("sequence_bias", [i for ids, _ in options.biases for i in ids]),
      ("decoder_start_token_id", [max(options.decoder_start_token_id, 0)]),
      ("forced_bos_token_id", [max(options.forced_bos_token_id, 0)]),
      ("forced_eos_token_id", [max(options.forced_eos_token_id, 0)]),
    ):
      bad = [i for i in numbers if not 0 <= i < size]
      if bad:
        raise UsageError(f"{name}: {bad[0]} is no id; there are {size}")


def _longest(problem: Problem) -> int:
  """Returns the most tokens that are read before the first new one."""
  return int((np.asarray(problem.inputs.segment_BxT) > 0).sum(1).max())
