"""Writes golden.json: logits that PyTorch Transformers gives.

python tests/families/make_golden.py

Of each family's cases the first, the odd one, and one with a head. The weights
are not there: a tensor's name tells its values (family_cases.draw).
"""

import json
import os
import pathlib
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "helpers"))

import decoder_cases  # noqa: E402
import encoder_cases  # noqa: E402
import family_cases  # noqa: E402
import harness  # noqa: E402
from family_cases import INPUTS, SPECIALS, chosen  # noqa: E402

# Fields of config.json that change from release to release, or say nothing.
OMITTED = ("transformers_version", "id2label", "label2id", "use_cache")
HEADS = ("ForSequenceClassification", "PreTraining")


def cases() -> list[family_cases.Case]:
  """Three of each family."""
  import transformers

  families: dict[str, list[family_cases.Case]] = {}
  for case in (*encoder_cases.CASES, *decoder_cases.CASES):
    cls = getattr(transformers, case.architecture)
    families.setdefault(cls.config_class.model_type, []).append(case)
  return [case for cases in families.values() for case in _three(cases)]


def _three(all_cases: list[family_cases.Case]) -> list[family_cases.Case]:
  plain = [
    case
    for case in all_cases
    if "Head" in case.architecture or not case.architecture.endswith("Model")
  ]
  odd = [case for case in plain if case.name == "odd"]
  heads = [case for case in plain if case.architecture.endswith(HEADS)]
  three = [*plain[:1], *odd[:1], *heads[:1]]
  return [case for i, case in enumerate(three) if case not in three[:i]]


def entry(case: family_cases.Case, directory: pathlib.Path) -> dict:
  import torch
  from safetensors.numpy import load_file

  model = harness.make_torch(case)
  model.save_pretrained(directory)
  saved = load_file(directory / "model.safetensors")
  shapes = {name: list(saved[name].shape) for name in sorted(saved)}
  drawn = family_cases.draw_all(shapes)
  wrong = [n for n in saved if not np.array_equal(saved[n], drawn[n])]
  assert not wrong, f"{case}: {wrong} are not what their names tell"
  inputs = family_cases.make_inputs(case, model.config)
  with torch.no_grad():
    logits = harness.torch_logits(model, inputs).numpy()
  paired = bool(model.config.is_encoder_decoder)
  config = json.loads((directory / "config.json").read_text())
  values = chosen(logits, family_cases.valid(inputs, logits.shape, paired))
  return {
    "class": case.architecture,
    "config": {k: v for k, v in config.items() if k not in OMITTED}
    | {"id2label": config.get("id2label", {})},
    "inputs": {name: getattr(case, name) for name in INPUTS},
    "specials": {name: getattr(model.config, name, None) for name in SPECIALS},
    "tensors": shapes,
    "shape": list(logits.shape),
    "logits": [float(f"{x:.7g}") for x in values],
  }


def main() -> None:
  os.environ["HF_HUB_OFFLINE"] = "1"
  harness.quiet()
  golden = {}
  with tempfile.TemporaryDirectory() as folder:
    for case in cases():
      assert str(case) not in golden
      golden[str(case)] = entry(case, pathlib.Path(folder) / str(case))
  rows = ",\n".join(
    f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}"
    for name, row in golden.items()
  )
  (HERE / "golden.json").write_text(f"{{\n{rows}\n}}\n")
  print(f"{len(golden)} cases")


if __name__ == "__main__":
  main()
