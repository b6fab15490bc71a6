"""A conversation: who said what, and its file."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Literal

from lm_jax.apps.chat.template import Message
from lm_jax.storage.log import write_atomically
from lm_jax.support import registry, strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.typed_json import as_kind


@dataclasses.dataclass(frozen=True)
class Turn:
  """A user's message and the answer.

  finish: why it ended: "end" (of itself), "stop" (at a stop string), "length"
    (no more tokens were allowed), "stopped" (by the user); "" if not known.
  """

  user: str
  answer: str
  finish: str = ""


@dataclasses.dataclass(frozen=True)
class _Message:
  """A message of a file."""

  role: Literal["system", "user", "assistant"]
  content: str
  finish: str = ""


@dataclasses.dataclass
class Conversation:
  """A system prompt ("" for none) and turns."""

  system: str = ""
  turns: list[Turn] = dataclasses.field(default_factory=list)

  def messages(self, start: int = 0, user: str | None = None) -> list[Message]:
    """Lists the messages in the form that chat templates take.

    Args:
      start: turns before that are left out.
      user: a message behind them that has no answer yet.
    """
    rows = []
    if self.system:
      rows.append({"role": "system", "content": self.system})
    for turn in self.turns[start:]:
      rows.append({"role": "user", "content": turn.user})
      rows.append({"role": "assistant", "content": turn.answer})
    if user is not None:
      rows.append({"role": "user", "content": user})
    return rows

  def write(self, name: str, where: str, replace: bool = False) -> None:
    """Writes it as JSON: {"messages": [{"role": ..., "content": ...}]}.

    Args:
      replace: whether the file may exist already.

    Raises:
      UsageError: it may not and is, or it can't be written.
    """
    messages = self.messages()
    answers = messages[len(messages) - 2 * len(self.turns) + 1 :: 2]
    for turn, answer in zip(self.turns, answers, strict=True):
      if turn.finish:
        answer["finish"] = turn.finish
    text = json.dumps({"messages": messages}, indent=2, ensure_ascii=False)
    path = pathlib.Path(name).expanduser()
    try:
      if path.exists() and not replace:
        raise UsageError(
          f"{where}: is there already; name another, or /overwrite {name}"
        )
      write_atomically(path, text + "\n")
    except UsageError:
      raise
    except (OSError, ValueError) as error:
      reason = getattr(error, "strerror", None) or error
      raise UsageError(f"{where}: {reason}") from None


def read(name: str, where: str) -> Conversation:
  """Reads a conversation from a file that `write` wrote, or one like it.

  Args:
    name: of the file: an object with "messages", or their list.

  Raises:
    UsageError: it can't be read, or is no conversation of turns.
  """
  messages = strict_json.read(pathlib.Path(name).expanduser(), where)
  if isinstance(messages, dict):
    messages = messages.get("messages")
  if not isinstance(messages, list):
    raise UsageError(f'{where}: must be an object with a list "messages"')
  said = as_kind(messages, list[_Message], where)
  for number, message in enumerate(messages, 1):
    for key in message.keys() - vars(said[0]).keys():
      place = f"{where}, number {number}: key"
      raise registry.unknown(place, key, vars(said[0]))
  system = ""
  if said and said[0].role == "system":
    system = said.pop(0).content
  roles = [message.role for message in said]
  if roles != ["user", "assistant"] * (len(roles) // 2):
    raise UsageError(
      f"{where}: behind a system prompt, which may be left out, user and"
      " assistant must take turns, and the assistant be the last"
    )
  turns = [
    Turn(user.content, answer.content, answer.finish)
    for user, answer in zip(said[::2], said[1::2], strict=True)
  ]
  return Conversation(system, turns)
