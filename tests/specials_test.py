"""Special tokens at any ids, against sets."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from lm_jax import specials as lib
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, Spec, Specials

NONE = dict.fromkeys(
  ("separator", "mask", "regular", "sequential", "extreme", "unknown"), ABSENT
)
NO_SENTINELS = {"first_sentinel": ABSENT, "sentinels": 0}
GPT2 = Specials(
  pad=256, boundary=256, end=256, start=ABSENT, before=(),
  **NONE, **NO_SENTINELS,
)  # fmt: skip
T5 = Specials(
  **NONE | {"unknown": 2}, pad=0, boundary=0, start=0, end=1,
  first_sentinel=219, sentinels=20, sentinel_step=-1, before=(), after=(1,),
)  # fmt: skip
BERT = Specials(
  **NONE | {"unknown": 100, "separator": 102, "mask": 103},
  pad=0, boundary=101, end=102, start=ABSENT, before=(101,), after=(102,),
  others=(1, 2, 3, 298, 299), **NO_SENTINELS,
)  # fmt: skip
ALL = {"ours": Specials(), "gpt2": GPT2, "t5": T5, "bert": BERT}


@pytest.fixture(params=ALL)
def specials(request):
  return ALL[request.param]


def test_special_ids_are_those_of_the_set(specials):
  tokens = np.arange(320)
  want = np.isin(tokens, specials.ids)
  np.testing.assert_array_equal(lib.is_special(tokens, specials), want)
  on_device = jax.jit(lambda x: lib.is_special(x, specials))(tokens)
  np.testing.assert_array_equal(on_device, want)
  assert isinstance(lib.is_special(tokens, specials), np.ndarray)
  text = lib.is_text(tokens, specials)
  want = ~np.isin(tokens, list({*specials.ids} - {specials.unknown}))
  np.testing.assert_array_equal(text, want)


def test_an_unknown_token_that_is_another_too_is_no_text():
  specials = dataclasses.replace(GPT2, unknown=256)
  assert not lib.is_text(np.array([256]), specials).any()


def test_ours_take_one_comparison():
  jaxpr = jax.make_jaxpr(lambda x: lib.is_special(x, Specials()))(
    np.zeros(3, np.int32)
  )
  assert [str(e.primitive) for e in jaxpr.eqns] == ["lt"]


@pytest.mark.parametrize("vocabulary", [300, 320])
def test_random_text_is_uniform_over_the_rest(specials, vocabulary):
  spec = Spec("encoder", 8, vocabulary, specials)
  text = np.setdiff1d(np.arange(vocabulary), specials.ids)
  found = np.asarray(lib.random_text(jax.random.key(1), (200_000,), spec))
  assert found.dtype == np.int32
  np.testing.assert_array_equal(np.unique(found), text)
  share = np.bincount(found, minlength=vocabulary)[text] * len(text) / 200_000
  assert np.abs(share - 1).max() < 6 * np.sqrt(len(text) / 200_000)


def test_random_text_of_ours_is_what_it_was():
  spec = Spec("encoder", 8, 300)
  key = jax.random.key(5)
  np.testing.assert_array_equal(
    lib.random_text(key, (64,), spec), jax.random.randint(key, (64,), 109, 300)
  )


def test_json_and_back(specials):
  text = lib.to_json(specials)
  assert lib.from_json(text, "x") == specials
  fields = {field.name for field in dataclasses.fields(Specials)}
  assert set(json.loads(text)) == fields


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"pad": ABSENT}, "pad=-1: must be an id, an integer of 0 or more"),
    ({"mask": -2}, "mask=-2: must be an id, or -1"),
    ({"mask": True}, "mask=true: must be an id, or -1"),
    ({"mask": 5.0}, "mask=5.0: must be an id"),
    ({"mask": "[MASK]"}, 'mask="\\[MASK\\]": must be an id'),
    ({"before": 2}, "before=2: must be a list of ids"),
    ({"others": [1, -1]}, "others=\\[1, -1\\]: must be a list"),
    ({"sentinels": -1}, "sentinels=-1: must be an integer from 0 to"),
    ({"sentinels": 10**9}, "sentinels=1000000000: must be an integer from 0"),
    ({"sentinel_step": 0}, "sentinel_step=0: must be an integer other than 0"),
    ({"sentinel_step": -1}, "100 sentinels from 9 by steps of -1 do not have"),
    ({"first_sentinel": ABSENT}, "100 sentinels from -1"),
    ({"masks": 5}, 'unknown field "masks" \\(nearest: mask\\)'),
  ],
)
def test_bad_fields_are_named(change, message):
  content = dataclasses.asdict(Specials()) | change
  with pytest.raises(UsageError, match=f"^FILE: {message}"):
    lib.from_json(json.dumps(content), "FILE")


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "not JSON"),
    ("[]", "must be an object"),
    ("{}", "lacks the field pad"),
  ],
)
def test_what_is_no_specials_json_is_refused(text, message):
  with pytest.raises(UsageError, match=f"^FILE: {message}"):
    lib.from_json(text, "FILE")
