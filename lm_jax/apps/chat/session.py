"""A conversation in progress: messages, answers and what is shown."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from lm_jax.apps.chat.conversation import Conversation, Turn
from lm_jax.apps.chat.model import Assistant, Read
from lm_jax.apps.chat.terminal import Interrupt
from lm_jax.generation.options import Generation
from lm_jax.support.errors import UsageError
from lm_jax.support.printable import printable

Form = Literal["text", "jsonl"]
# Defaults of an answer.
MAX_NEW_TOKENS = 256


class Session:
  """A conversation with a model.

  Answers go to standard output, all else to standard error.

  Args:
    given: options that the user has set, by name.

  Attributes: conversation, given: as the arguments; may be changed.
  """

  def __init__(
    self,
    assistant: Assistant,
    conversation: Conversation,
    given: dict[str, Any],
    form: Form,
    interrupt: Interrupt,
  ):
    self.assistant, self.interrupt = assistant, interrupt
    self.conversation, self.given = conversation, given
    self._form = form
    self._told: set[str] = set()
    self._retries = 0
    # The last answer: its turn, what was read for it, and its tool's options.
    self._last: tuple[Turn, Read, Mapping[str, Any] | None] | None = None

  def options(self, more: Mapping[str, Any] | None = None) -> Generation:
    """Makes the options of the next answer.

    Args:
      more: of a writing tool; what the user has set overrides it.

    Raises:
      UsageError: one is out of range.
    """
    own = self.assistant.defaults
    chosen = {**(more or {}), **self.given}
    generation = Generation(
      **{"max_new_tokens": MAX_NEW_TOKENS, **own, **chosen}
    )
    generation.check("--", own.keys() - chosen, self.assistant.where)
    for name in ("num_beams", "num_return_sequences"):
      value = getattr(generation, name)
      if value != 1:
        raise UsageError(
          f"--{name}={value}: must be 1 where an answer is shown as it comes"
        )
    return generation

  def say(self, text: str, more: Mapping[str, Any] | None = None) -> None:
    """Answers a message, given the conversation before it.

    Args:
      more: as of `options`.

    Raises:
      UsageError: it can't be answered; the conversation is as before.
    """

    def read(options: Generation) -> Read:
      return self.assistant.fit(self.conversation, text, options)

    self._answer(text, read, more)

  def write(
    self,
    text: str,
    more: Mapping[str, Any],
    source: str = "",
    target: str = "",
  ) -> None:
    """Continues a text as it is, without a template and history.

    Args:
      text, more: as of `say`.
      source, target: languages to translate between.
    """

    def read(options: Generation) -> Read:
      del options  # It has room for a word, or is refused.
      return self.assistant.plainly(text, source, target)

    self._answer(text, read, more)

  def undo(self) -> Turn:
    """Takes the last message and its answer back; UsageError without one."""
    if not self.conversation.turns:
      raise UsageError("there is nothing to take back")
    return self.conversation.turns.pop()

  def retry(self) -> None:
    """Answers the last message again, with another seed."""
    turn = self.undo()
    before = list(self.conversation.turns)
    said, read, more = self._last or (None, None, None)
    if said is not turn:  # It is of a file, or others were taken back.
      read, more = None, None
    self._retries += 1
    try:
      if not self.options(more).do_sample:
        notice("do_sample=false gives the same answer; /set do_sample=true")
      if read is not None and read.plain:
        self._answer(turn.user, lambda _: read, more)
      else:
        self.say(turn.user, more)
    finally:
      if self.conversation.turns == before:  # There is no other answer.
        self.conversation.turns.append(turn)

  def _answer(
    self,
    text: str,
    reading: Callable[[Generation], Read],
    more: Mapping[str, Any] | None,
  ) -> None:
    asked = self.options(more)
    asked = dataclasses.replace(asked, seed=asked.seed + self._retries)
    # To its end: a second Ctrl-C would lose what the first one has kept.
    with self.interrupt.answering():
      read = reading(asked)
      if read.dropped:
        self._tell_once(
          f"the context of {self.assistant.room} tokens is full: the model no"
          " longer reads the oldest exchanges; /reset begins anew"
        )
      answer = self.assistant.answer(
        read, asked, self._show, self.interrupt.asked
      )
      self._end(answer.text, answer.finish, read.dropped)
      if not answer.text and answer.finish == "stopped":
        notice("stopped before the first word, as if you had not asked")
        return
      turn = Turn(text, answer.text, answer.finish)
      self.conversation.turns.append(turn)
      self._last = turn, read, more
    if answer.finish == "stopped":
      notice("stopped; /retry answers again, /undo takes both back")
    elif not answer.text:
      notice("the model says nothing")
    elif answer.finish == "length":
      self._tell_once(
        f"cut: max_new_tokens={asked.max_new_tokens}, or the context, allows"
        " no more"
      )

  def replace(self, conversation: Conversation) -> None:
    """Replaces the conversation by another."""
    self.conversation = conversation
    self._told.clear()

  def _show(self, piece: str) -> None:
    if self._form == "text":
      print(piece, end="", flush=True)

  def _end(self, text: str, finish: str, dropped: int) -> None:
    if self._form == "text":
      print(flush=True)
      return
    fields = {"role": "assistant", "content": text, "finish": finish}
    line = json.dumps(fields | {"dropped": dropped}, ensure_ascii=False)
    print(line, flush=True)

  def _tell_once(self, text: str) -> None:
    if text not in self._told:
      self._told.add(text)
      notice(text)


def notice(text: str) -> None:
  """Tells the user something that is no answer."""
  print(f"({printable(text)})", file=sys.stderr, flush=True)
