"""specials.json and languages.json, which stand beside a tokenizer.json."""

import dataclasses
import json

import fuzzing
from hypothesis import strategies as st

from lm_jax import specials as specials_lib
from lm_jax.data import sidecar_files
from lm_jax.types import ABSENT, Specials

_VALID = [
  json.loads(specials_lib.to_json(specials))
  for specials in (
    Specials(),
    Specials(sentinels=3),
    Specials(pad=5, mask=ABSENT, first_sentinel=90, sentinel_step=-1),
    dataclasses.replace(Specials(), before=(2,), after=(3, 4), others=(50,)),
  )
]
_LANGUAGES = [{"en": 1, "de_DE": 2, "fr": 9}, {}]


@fuzzing.COUNTS
def test_specials_are_read_or_refused(count, tmp_path):
  path = tmp_path / "tokenizer.json"

  def read(data):
    path.with_name(specials_lib.FILE).write_bytes(data)

    def both():
      found = sidecar_files.specials(path)
      sidecar_files.check_ids(path, found, 2**20)
      return found

    end, found = fuzzing.attempt(both, specials_lib.FILE)
    if end == "valid":
      text = specials_lib.to_json(found)
      assert specials_lib.from_json(text, path) == found
    return [*fuzzing.is_json(data), end]

  inputs = fuzzing.texts(_VALID)
  shares = {"JSON": 0.5, "valid": 0.05}
  fuzzing.fuzz("specials.json", count, inputs, read, shares)


@fuzzing.COUNTS
def test_languages_are_read_or_refused(count, tmp_path):
  path = tmp_path / "tokenizer.json"

  def read(data):
    path.with_name(sidecar_files.LANGUAGES).write_bytes(data)
    end, found = fuzzing.attempt(
      lambda: sidecar_files.languages(path, 10), sidecar_files.LANGUAGES
    )
    if end == "valid":
      assert all(type(i) is int and 0 <= i < 10 for i in found.values())
    return [*fuzzing.is_json(data), end]

  names = st.dictionaries(st.text(max_size=8), st.integers(-1, 11), max_size=4)
  own = names.map(lambda found: json.dumps(found).encode())
  inputs = fuzzing.texts(_LANGUAGES) | own
  shares = {"JSON": 0.5, "valid": 0.05}
  fuzzing.fuzz("languages.json", count, inputs, read, shares)
