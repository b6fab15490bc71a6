"""Every family against logits that PyTorch gave (golden.json); no PyTorch."""

import json
import pathlib
import types

import family_cases
import harness
import numpy as np
import pytest
import shipped

import lm_jax
from lm_jax.hugging_face import read as read_lib

GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden.json").read_text())


def _write(directory: pathlib.Path, entry: dict) -> None:
  from safetensors.numpy import save_file

  directory.mkdir()
  (directory / "config.json").write_text(json.dumps(entry["config"]))
  shapes = {name: tuple(shape) for name, shape in entry["tensors"].items()}
  save_file(
    family_cases.draw_all(shapes),
    directory / "model.safetensors",
    metadata={"format": "pt"},
  )


@pytest.mark.usefixtures("cache")  # Most of the time goes to compilation.
@pytest.mark.parametrize("name", GOLDEN)
def test_logits_are_those_of_pytorch(name, tmp_path):
  entry = GOLDEN[name]
  _write(tmp_path / "theirs", entry)
  lm = lm_jax.load(tmp_path / "theirs")
  case = family_cases.Case(entry["class"], entry["config"], **entry["inputs"])
  config = types.SimpleNamespace(**entry["specials"])
  inputs = family_cases.make_inputs(case, config)
  paired = lm.config.architecture == "encoder_decoder"
  told = paired and not inputs.shifted
  logits = lm.logits(
    inputs.ids,
    inputs.mask,
    inputs.types,
    inputs.decoder if told else None,
    output=case.output,
  ).reshape(entry["shape"])
  ours = family_cases.chosen(
    logits, family_cases.valid(inputs, logits.shape, paired)
  )
  assert len(ours) == len(entry["logits"]) == family_cases.NUMBERS
  difference = np.abs(ours - entry["logits"]).max()
  assert np.std(ours) > 0.02
  assert difference <= harness.LOGITS
  # And back: the same file, byte by byte.
  lm.save_pretrained(tmp_path / "back")
  before, after = (
    (tmp_path / folder / "model.safetensors").read_bytes()
    for folder in ("theirs", "back")
  )
  assert after == before


def test_every_family_is_there():
  found = {entry["config"]["model_type"] for entry in GOLDEN.values()}
  known = {x for f in read_lib.families().values() for x in f.model_types}
  assert {*shipped.MODEL_TYPES} <= found <= known
