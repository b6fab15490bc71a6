"""A model's own options of generation."""

import json

import pytest

from lm_jax.errors import UsageError
from lm_jax.generation import defaults
from lm_jax.generation.options import Generation, read


def _directory(tmp_path, config, generation=None):
  config = {"model_type": "gpt2", **config}
  (tmp_path / "config.json").write_text(json.dumps(config))
  if generation is not None:
    text = json.dumps(generation)
    (tmp_path / "generation_config.json").write_text(text)
  return tmp_path


def test_what_we_have_is_adopted(tmp_path):
  own = {"eos_token_id": [5, 7], "do_sample": True, "top_p": 0.9}
  more = {"use_cache": True, "seed": 3, "temperature": None, "max_length": 40}
  found = defaults.of(_directory(tmp_path, {"top_k": 3}, own | more))
  assert found == own | {"eos_token_id": (5, 7), "max_length": 40}


def test_of_older_checkpoints_config_json_tells(tmp_path):
  config = {"early_stopping": True, "eos_token_id": 2, "min_length": 56}
  config |= {"decoder_start_token_id": 2, "num_beams": 4, "n_layer": 12}
  found = defaults.of(_directory(tmp_path, config))
  assert found == {
    **{"early_stopping": "true", "eos_token_id": (2,), "num_beams": 4},
    "min_new_tokens": 55,  # The decoder's start counts among theirs.
  }


def test_nothing_is_there(tmp_path):
  assert defaults.of(tmp_path) == {}


def test_what_is_asked_goes_before(tmp_path):
  own = {"max_length": 142, "min_new_tokens": 55, "num_beams": 4}
  assert read({}, own) == Generation(**own)
  assert read({"max_new_tokens": 20}, own) == Generation(
    max_new_tokens=20, min_new_tokens=20, num_beams=4
  )
  asked = {"max_length": 90, "num_beams": 1, "min_new_tokens": 3}
  assert read(asked, own) == Generation(**asked)


@pytest.mark.parametrize(
  ("own", "message"),
  [
    ({"top_p": "much"}, r"generation_config.json: top_p=much"),
    ({"eos_token_id": [1.5]}, r"generation_config.json: eos_token_id"),
    ([1], "must hold a JSON object"),
  ],
)
def test_broken_ones_are_named(tmp_path, own, message):
  with pytest.raises(UsageError, match=message):
    defaults.of(_directory(tmp_path, {}, own))
