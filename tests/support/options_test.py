import dataclasses
import os
from typing import Literal

import pytest

from lm_jax.storage import workdir
from lm_jax.support.errors import UsageError
from lm_jax.support.options import (
  Option,
  names_given,
  option,
  options,
  read,
  texts_of_others,
)
from lm_jax.support.values import show


@dataclasses.dataclass(frozen=True)
class _Inner:
  rate: float = option(0.5, "a rate")


@dataclasses.dataclass(frozen=True)
class _Outer:
  count: int = option(3, "how many")
  inner: _Inner = dataclasses.field(default_factory=_Inner)
  rest: dict[str, int] = dataclasses.field(default_factory=dict)


def test_nested_fields_are_dotted_and_dicts_left_out():
  found = options(_Outer, "x.")
  assert found == {
    "x.count": Option("x.count", int, 3, "how many"),
    "x.inner.rate": Option("x.inner.rate", float, 0.5, "a rate"),
  }


@dataclasses.dataclass(frozen=True)
class _Flags:
  count: int = option(3, "how many", least=1)
  inner: _Inner = dataclasses.field(default_factory=_Inner)
  settings: dict[str, list[str]] = texts_of_others()
  given: frozenset[str] = names_given()


def test_flags_know_what_was_given_though_it_is_the_default():
  flags = read(_Flags, {"count": ["3"], "inner.rate": ["1"], "x": ["y", "z"]})
  assert flags.given == {"count", "inner.rate", "x"}
  assert flags.inner == _Inner(1.0)
  assert flags.settings == {"x": ["y", "z"]}
  assert read(_Flags, {}) == _Flags()
  with pytest.raises(UsageError, match="--count=0: must be at least 1"):
    read(_Flags, {"count": ["0"]})


def test_field_that_cannot_be_a_flag_is_a_bug():
  cls = dataclasses.make_dataclass("Bad", [("f", bytes, b"")])
  with pytest.raises(TypeError, match=r"Bad\.f"):
    options(cls)


GOOD = [
  (int, "12", 12),
  (float, "3e-3", 3e-3),
  (float, "1", 1.0),
  (str, "a=b,c", "a=b,c"),
  (bool, "False", False),
  (Literal["a", "b"], "b", "b"),
  (tuple[int, ...], "256,0", (256, 0)),
  (tuple[str, ...], "", ()),
]


@pytest.mark.parametrize(("kind", "text", "value"), GOOD)
def test_text_and_json_give_the_same_value(kind, text, value):
  made = Option("p", kind, None)
  parsed = made.parse(text)
  assert parsed == value
  assert type(parsed) is type(value)
  assert made.check(list(value) if type(value) is tuple else value, "f") == (
    value
  )
  assert made.parse(show(value)) == value


@pytest.mark.parametrize(
  ("kind", "text"),
  [
    (int, "3.5"),
    (int, ""),
    (float, "nan"),
    (float, "inf"),
    (float, "x"),
    (bool, "1"),
    (Literal["a", "b"], "c"),
    (tuple[int, ...], "1,x"),
  ],
)
def test_text_of_another_type_is_refused(kind, text):
  with pytest.raises(UsageError, match=r"--p=.*(must be|Valid)"):
    Option("p", kind, None).parse(text)


@pytest.mark.parametrize(
  ("kind", "value"),
  [
    (int, True),
    (int, 1.0),
    (float, "1"),
    (float, float("nan")),
    (float, True),
    (str, 1),
    (str, None),
    (bool, 1),
    (Literal["a", "b"], 1),
    (tuple[int, ...], "12"),
    (tuple[int, ...], [1.5]),
  ],
)
def test_json_of_another_type_is_refused(kind, value):
  with pytest.raises(UsageError, match=r"f: p"):
    Option("p", kind, None).check(value, "f")


def test_what_is_not_utf8_is_named():
  text = os.fsdecode(b"d/\xff.jsonl")
  with pytest.raises(UsageError, match=r"^--a=d/.udcff.jsonl: is not UTF-8;"):
    Option("a", str, "", "a name").parse(text)
  with pytest.raises(UsageError, match=r"^--workdir=d/.udcff.jsonl: /"):
    workdir.check(text)
