"""Says English texts of reports in another language, by a catalog of templates.

Whatever makes a text makes it in English; a catalog (zh.po, in the format of
GNU gettext) has templates of such texts with placeholders and what they become:

  msgid "{done:n} of {planned:n} runs done"
  msgstr "{planned} 个运行中完成了 {done} 个"

A placeholder stands for words within a clause: {x} for a name or a value, which
stays as it is; {x:n} for a number with its unit; {x:t} for what is said in the
other language, too; {x:s} for several clauses of such; {x:l} for a list ("a, b
and c") of such, {x:a} for one of names, {x:c} for one of currencies. Of the
templates that fit the one with most letters counts; what none fits stays
English.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from lm_jax.report.metrics import CURRENCIES

Code = Literal["en", "zh"]
# Of each language, the value of the page's lang attribute.
_TAGS: dict[Code, str] = {"en": "en", "zh": "zh-CN"}

_FIELD = re.compile(r"\{(\w+)(?::(\w))?\}")
_CURRENCY = f"(?:{'|'.join(CURRENCIES.values())})"
_CLAUSE = r"(?:(?![.;] ).)+?"
_NAME = r"(?:(?![.;:] ).)+?"
_KINDS = {
  "": _NAME,
  "n": r"[^ ]*?\d[^ ]*?(?: [kMGT%])?",
  "t": r"(?:(?![.;] )[^(])+?",
  "l": _CLAUSE,
  "a": _NAME,
  "s": r"(?:(?!\. ).)+?",  # no end of a sentence
  "c": f"{_CURRENCY}(?:(?:, | and ){_CURRENCY})*",
}
_LETTERS = re.compile(r"[A-Za-z]{2}")
_END = re.compile(r"[.?:](?= |$)")
_OUTSIDE = r"(?![^()\[\]]*[)\]])"  # of brackets
_JOINTS = {"and": "和", "or": "或"}
_STOPS = {".": "。", "?": "？", ":": "："}
_SIGN = re.compile(r"[\u3000-\u303f\uff00-\uffef]")  # as wide as ideographs
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")


@dataclasses.dataclass(frozen=True)
class _Template:
  pattern: re.Pattern[str]
  kinds: Mapping[str, str]
  said: str
  weight: int  # letters outside of placeholders

  @classmethod
  def make(cls, text: str, said: str) -> _Template:
    parts, end = [], 0
    kinds: dict[str, str] = {}
    for field in _FIELD.finditer(text):
      name, kind = field[1], field[2] or ""
      parts.append(re.escape(text[end : field.start()]))
      if name in kinds:
        parts.append(f"(?P={name})")
      else:
        parts.append(f"(?P<{name}>{_KINDS[kind]})")
      kinds[name] = kind or kinds.get(name, "")
      end = field.end()
    rest = re.escape(text[end:])
    pattern = "".join(parts) + rest
    if pattern[:1].isalpha():  # A sentence may begin with it, or go on.
      first = pattern[0]
      pattern = f"[{first.upper()}{first.lower()}]{pattern[1:]}"
    weight = len(_FIELD.sub("", text))
    return cls(re.compile(pattern, re.DOTALL), kinds, said, weight)


class Language:
  """A language of reports.

  code: its name for --language.
  tag: of a page (BCP 47).
  """

  def __init__(self, code: Code, catalog: Mapping[str, str]):
    self.code, self.tag, self._catalog = code, _TAGS[code], catalog
    # Names with commas of their own.
    self._several = [x for x in catalog if re.search(", | and | or ", x)]
    self._several = [x for x in self._several if not _FIELD.search(x)]
    self._templates = sorted(
      (_Template.make(text, said) for text, said in catalog.items()),
      key=lambda template: -template.weight,
    )
    self.say = functools.lru_cache(maxsize=None)(self._say)

  def _say(self, text: str) -> str:
    """Says a text; what is unknown of it stays as it is."""
    if not self._templates or not _LETTERS.search(text):
      return text
    return self._sentences(text) or text

  def _sentences(self, text: str) -> str | None:
    """Says each sentence; None where none is known.

    Several sentences may be one template.
    """
    ends = [match.end() for match in _END.finditer(text)]
    ends += [len(text)] if len(text) not in ends else []
    parts, start, known = [], 0, False
    while start < len(text):
      later = [end for end in ends if end > start]
      for end in reversed(later):
        if (part := self._stopped(text[start:end])) is not None:
          known = True
          break
      else:
        end = later[0]
        part = text[start:end]
      parts.append(part)
      start = end + len(text[end:]) - len(text[end:].lstrip(" "))
    return _joined(parts, " ") if known else None

  def _stopped(self, text: str) -> str | None:
    whole = self._whole(text)
    return whole if whole is not None else self._clauses(text)

  def _whole(self, text: str) -> str | None:
    """Says what one template fits, without its full stop or with it."""
    stop = _STOPS.get(text[-1:])
    if stop and (said := self._fitting(text[:-1])) is not None:
      return f"{said}{stop}"
    return self._fitting(text)

  def _clauses(self, text: str) -> str | None:
    """Says what semicolons part; None where nothing is known."""
    stop = _STOPS.get(text[-1:], "")
    clauses = (text[:-1] if stop else text).split("; ")
    if len(clauses) < 2 or ". " in text:
      return None
    said = [self._fitting(clause) for clause in clauses]
    if not any(said):
      return None
    return "；".join(s or c for s, c in zip(said, clauses, strict=True)) + stop

  def _fitting(self, text: str) -> str | None:
    for template in self._templates:
      if match := template.pattern.fullmatch(text):
        parts = {
          name: self._part(value, template.kinds[name])
          for name, value in match.groupdict().items()
        }
        # Text and names of placeholders by turns.
        pieces = _FIELD.split(template.said)
        texts, names = pieces[::3], [*pieces[1::3], ""]
        return _joined(
          [
            part
            for text, name in zip(texts, names, strict=True)
            for part in (text, parts.get(name, ""))
          ]
        )
    return None

  def _part(self, text: str, kind: str) -> str:
    if kind in ("t", "s"):
      return self.say(text)
    return self.listed(text) if kind in ("l", "a", "c") else text

  def listed(self, text: str) -> str:
    """Says the members of a list, "a, b and c" or "a or b"."""
    for name in self._several:
      text = text.replace(name, name.replace(" ", "\0"))
    *first, last = re.split(f", {_OUTSIDE}", text)
    several = re.split(f" (and|or) {_OUTSIDE}", last, maxsplit=1)
    first.append(several[0])
    first, last = (
      [self.say(name.replace("\0", " ")) for name in names]
      for names in (first, several[2:])
    )
    joint = f" {_JOINTS[several[1]]} " if last else ""
    return _joined(["、".join(first), joint, *last])


def _joined(parts: Sequence[str], between: str = "") -> str:
  """Joins parts, with a space where ideographs meet letters or digits.

  between: what stands between other parts, but for signs that are wide.
  """
  out = ""
  for part in filter(None, parts):
    left, right = out.rstrip(" "), part.lstrip(" ")
    if not left or not right:
      out += part
      continue
    a, b = left[-1], right[0]
    ideographs = sum(bool(_IDEOGRAPH.match(sign)) for sign in (a, b))
    if ideographs == 2 or _SIGN.match(a) or _SIGN.match(b):
      out = left + right
    elif ideographs:
      out = f"{left} {right}"
    else:
      out += between + part
  return out


def _read(text: str) -> dict[str, str]:
  """Reads a catalog: pairs of msgid and msgstr, strings of C on their lines."""
  catalog: dict[str, str] = {}
  key, entry = "", {"msgid": "", "msgstr": ""}
  for line in [*text.splitlines(), 'msgid ""']:
    word, _, value = line.partition(" ")
    if word == "msgid":
      if entry["msgid"]:
        catalog[entry["msgid"]] = entry["msgstr"]
      entry = {"msgid": "", "msgstr": ""}
    if word in entry:
      key = word
    elif line.startswith('"'):
      value = line
    else:
      continue
    entry[key] += ast.literal_eval(value)
  return catalog


@functools.cache
def load(code: Code) -> Language:
  """Returns a language; "en" says everything as it is."""
  if code == "en":
    return Language(code, {})
  path = importlib.resources.files(__package__).joinpath(f"{code}.po")
  return Language(code, _read(path.read_text("utf-8")))
