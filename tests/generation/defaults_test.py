"""A model's own options of generation."""

import json

import pytest

from lm_jax.generation import defaults, read_options
from lm_jax.generation import options as options_lib
from lm_jax.generation.options import Generation
from lm_jax.generation.read_options import read
from lm_jax.support.errors import UsageError


def _read(tmp_path, config, generation=None):
  """The options of a directory with these files."""
  config = {"model_type": "gpt2", **config}
  (tmp_path / "config.json").write_text(json.dumps(config))
  if generation is not None:
    text = json.dumps(generation)
    (tmp_path / "generation_config.json").write_text(text)
  return defaults.from_directory(tmp_path)


def test_what_we_have_is_adopted(tmp_path):
  own = {"eos_token_id": [5, 7], "do_sample": True, "top_p": 0.9}
  more = {"use_cache": True, "seed": 3, "temperature": None, "max_length": 40}
  found = _read(tmp_path, {"top_k": 3}, own | more)
  assert found == own | {"eos_token_id": (5, 7), "max_length": 40}


def test_of_older_checkpoints_config_json_tells(tmp_path):
  config = {"early_stopping": True, "eos_token_id": 2, "min_length": 56}
  config |= {"decoder_start_token_id": 2, "num_beams": 4, "n_layer": 12}
  found = _read(tmp_path, config)
  assert found == {
    **{"early_stopping": "true", "eos_token_id": (2,), "num_beams": 4},
    "min_length": 56,
  }


def test_values_that_do_not_apply_are_no_errors(tmp_path, caplog):
  own = {"do_sample": False, "temperature": 0.0, "eos_token_id": -1}
  found = _read(tmp_path, {}, own)
  assert found == {"do_sample": False, "eos_token_id": (-1,)}
  assert "temperature=0.0 does not apply without do_sample" in caplog.text
  with pytest.raises(UsageError, match=r"config.json: temperature=0.0: must"):
    _read(tmp_path, {}, own | {"do_sample": True})


def test_what_is_not_followed_is_said(tmp_path, caplog):
  own = {"guidance_scale": 3.0, "top_h": 0.4, "encoder_repetition_penalty": 1.0}
  own |= {"num_return_sequences": 1, "token_healing": False, "max_time": None}
  assert _read(tmp_path, {}, own) == {}
  assert "not followed: guidance_scale=3.0, top_h=0.4;" in caplog.text
  caplog.clear()
  _read(tmp_path, {}, own)  # once a process
  assert not caplog.text


def test_every_field_of_transformers_is_followed_or_known(tmp_path):
  """Those of Transformers 5.24 that change which tokens come."""
  known = {*options_lib.schema(), *defaults._UNFOLLOWED}
  fields = {
    *("max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("early_stopping", "max_time", "stop_strings", "do_sample", "num_beams"),
    *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p"),
    *("epsilon_cutoff", "eta_cutoff", "repetition_penalty", "length_penalty"),
    *("encoder_repetition_penalty", "no_repeat_ngram_size", "bad_words_ids"),
    *("renormalize_logits", "forced_bos_token_id", "forced_eos_token_id"),
    *("exponential_decay_length_penalty", "suppress_tokens", "sequence_bias"),
    *("begin_suppress_tokens", "token_healing", "guidance_scale"),
    *("watermarking_config", "num_return_sequences", "eos_token_id"),
    *("encoder_no_repeat_ngram_size", "decoder_start_token_id"),
    *("prompt_lookup_num_tokens", "penalty_alpha", "dola_layers"),
    *("diversity_penalty", "num_beam_groups", "constraints"),
    "force_words_ids",
  }
  assert fields <= known


def test_a_decoder_begins_as_generation_config_says(tmp_path):
  config = {"is_encoder_decoder": True, "decoder_start_token_id": 2}
  config["bos_token_id"] = 3
  assert _read(tmp_path, config) == {}  # the family's
  found = _read(tmp_path, config, {"bos_token_id": 4})
  assert found == {"decoder_start_token_id": 4}
  own = {"bos_token_id": 4, "decoder_start_token_id": 5}
  found = _read(tmp_path, config, own)
  assert found == {"decoder_start_token_id": 5}


def test_sequences_in_json_python_and_flags(tmp_path):
  own = {
    "sequence_bias": [[[5, 6], -2.5], [[7], 1]],
    "bad_words_ids": [[5], [5]],
  }
  found = Generation(**_read(tmp_path, {}, own))
  assert found.biases == (((5, 6), -2.5), ((7,), 1.0))
  assert found.bad_words_ids == ((5,),)
  assert read({"sequence_bias": {(5, 6): -2.5}}).biases == (((5, 6), -2.5),)
  given = {"bad_words_ids": ["5,6", "7"], "sequence_bias": ["5,6:-2.5"]}
  flags = Generation(**read_options.from_flags(given)).check()
  assert flags.bad_words_ids == ((5, 6), (7,))
  assert flags.biases == (((5, 6), -2.5),)
  with pytest.raises(UsageError, match="--sequence_bias=5,x:1: must be ids"):
    Generation(sequence_bias=("5,x:1",)).check()


def test_a_fault_of_a_file_is_not_told_as_a_flags(tmp_path):
  own = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}
  _read(tmp_path, {}, own)
  with pytest.raises(UsageError, match="^FILE: num_beam_groups=2: must divide"):
    read({"do_sample": True}, own, "FILE")
  with pytest.raises(UsageError, match="^num_beam_groups=2: must divide"):
    read(own | {"do_sample": True})


def test_nothing_is_there(tmp_path):
  assert defaults.from_directory(tmp_path) == {}


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
    _read(tmp_path, {}, own)
