"""Models that were fine-tuned, as directories of theirs."""

import dataclasses
import json
import shutil

import harness
import numpy as np
import pytest

import lm_jax
from lm_jax.hugging_face import export
from lm_jax.support.errors import UsageError

LABELS = ("O", "B-person, real", "I-person, real")
SHAPE = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
HEADS = {
  "label_tokens": ("tokens", "BertForTokenClassification"),
  "classify": ("classification", "BertForSequenceClassification"),
  "extract": ("span", "BertForQuestionAnswering"),
  "multiple_choice": ("choice", "BertForMultipleChoice"),
}
OPTIONS = {"extract": {}, "multiple_choice": {"choices": 2}}


def model_of(tiny, objective, **options):
  config = tiny.config(
    objective=objective,
    architecture="encoder",
    task="toy" if objective in HEADS else "",
    objective_options=options,
    # The candidates of a row share it, and the table of positions.
    length=32 * options.get("choices", 1),
    trunk={"preset": "bert"} | SHAPE,
  )
  return harness.untrained(config)


@pytest.mark.parametrize("objective", HEADS)
@pytest.mark.parametrize("started", ["from theirs", "here"])
def test_heads_and_labels_come_along(tiny, tmp_path, objective, started):
  options = OPTIONS.get(objective, {"labels": LABELS})
  model = model_of(tiny, objective, dropout=0.3, **options)
  run, to, family = tmp_path / "run", tmp_path / "to", "bert"
  if started == "from theirs":
    # What a run keeps of the model that it started from, with other labels.
    export.save(model_of(tiny, "mlm"), str(tmp_path / "base"), "bert")
    shutil.copytree(tmp_path / "base", run / "hugging_face")
    (run / "hugging_face" / "model.safetensors").unlink()
    model, family = dataclasses.replace(model, source=str(run)), ""
  else:
    # Its preset names the family; without one nothing does.
    trunk = {k: v for k, v in model.config.trunk.items() if k != "preset"}
    other = dataclasses.replace(model.config, trunk=trunk)
    with pytest.raises(UsageError, match=f"--family: needed, .* {objective};"):
      export.save(dataclasses.replace(model, config=other), str(to))
    family = ""
  export.save(model, str(to), family)
  head, architecture = HEADS[objective]
  values = json.loads((to / "config.json").read_text())
  assert values["architectures"] == [architecture]
  if "labels" in options:
    assert list(values["id2label"].values()) == list(LABELS)
    assert values["label2id"] == {x: i for i, x in enumerate(LABELS)}
  theirs, ours = lm_jax.load(str(to)), lm_jax.LanguageModel(model)
  assert theirs.outputs == ours.outputs == (head,)
  ids = np.arange(20, 44).reshape(2, 12)
  np.testing.assert_array_equal(theirs.logits(ids), ours.logits(ids))
