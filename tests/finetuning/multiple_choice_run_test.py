"""COPA from JSONL to its accuracy: candidates that are scored one by one."""

import dataclasses
import json

import numpy as np
import pytest

from lm_jax import cli
from lm_jax.finetuning import evaluation, recipe, splits
from lm_jax.inference import load
from lm_jax.support.errors import UsageError
from lm_jax.tasks.copa import Copa
from lm_jax.tasks.race import Race
from lm_jax.tasks.sst2 import Sst2

GOOD, BAD = ["lovely", "bright", "warm"], ["grim", "dull", "cold"]
FAST = (
  *("--size=nano", "--length=96", "--batch_size=16", "--log_every=4"),
  *("--data.tokenizer=bytes", "--data.vocabulary_size=400"),
  *("--data.sentinels=8", "--optimizer.learning_rate=5e-3"),
)


def write(folder):
  rng = np.random.default_rng(0)
  for name, count in (("train", 160), ("dev", 40), ("test", 40)):
    lines = []
    for _ in range(count):
      right = int(rng.integers(2))
      words = [str(rng.choice(GOOD if i == right else BAD)) for i in (0, 1)]
      fields = {"premise": "a film", "question": "", "label": right}
      fields |= {f"choice{i}": w for i, w in enumerate(words, start=1)}
      lines.append(json.dumps(fields))
    (folder / f"{name}.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  folder = tmp_path_factory.mktemp("copa")
  write(folder)
  return folder


def finetune(place, directory, *flags):
  return cli.main(
    [
      *("finetune", "--task=copa", f"--task_data={place}", *FAST),
      *(f"--workdir={directory}", *flags),
    ]
  )


def result_of(directory):
  return json.loads((directory / "result.json").read_text())


@pytest.fixture(scope="module")
def finished(place, tmp_path_factory):
  directory = tmp_path_factory.mktemp("run") / "copa"
  assert finetune(place, directory, "--epochs=6", "--eval_every=20") == 0
  return directory


def test_a_run_learns_to_choose(finished):
  result = result_of(finished)
  assert result["objective"] == "multiple_choice"
  assert result["metrics"]["copa/accuracy"] > 0.9
  assert result["cut"] == {"train": 0, "dev": 0, "test": 0}
  lines = (finished / "predictions.jsonl").read_text().splitlines()
  assert {json.loads(x)["predicted"] for x in lines} == {"choice1", "choice2"}
  config = json.loads((finished / "config.json").read_text())
  assert config["objective_options"]["choices"] == 2


def test_it_answers_as_well_whatever_shares_its_row(finished):
  """The loaded model gives the same answers with one example a row."""
  model = load.load(str(finished))
  assert model.outputs.keys() == {"choice"}
  found = evaluation.measure(model, Copa(), model.config.task_data, splits.TEST)
  told = result_of(finished)["metrics"]["copa/accuracy"]
  assert found.metrics["copa/accuracy"] == told
  data = dataclasses.replace(model.config.data, packing="document")
  config = dataclasses.replace(model.config, data=data)
  alone = dataclasses.replace(model, config=config)
  again = evaluation.measure(alone, Copa(), model.config.task_data, splits.TEST)
  assert [p["predicted"] for p in again.predictions] == [
    p["predicted"] for p in found.predictions
  ]


def test_evaluate_asks_its_head(finished, capsys):
  words = [f"--model={finished}", "--tasks=copa", "--format=json"]
  assert cli.main(["evaluate", *words]) == 0
  [row] = json.loads(capsys.readouterr().out)["results"]
  assert (row["way"], row["scoring"]) == ("head", "multiple_choice")
  assert row["value"] == result_of(finished)["metrics"]["copa/accuracy"]
  assert row["chance"] == 0.5


def test_a_run_that_classified_its_candidates_goes_on(place, tmp_path, capsys):
  """Runs of before have "classify" in their config.json; it need not be said.

  What had all candidates in one text is another run than one that scores them.
  """
  flags = ("--budget=steps:3", "--eval_every=2")
  old = tmp_path / "old"
  assert finetune(place, old, *flags, "--objective=classify") == 0
  before = result_of(old)
  assert before["objective"] == "classify"
  (old / "result.json").unlink()
  assert finetune(place, old, *flags) == 0
  after = result_of(old)
  assert after["objective"] == "classify"
  assert after["digest"] == before["digest"]
  assert finetune(place, old, *flags, "--objective=multiple_choice") == 2
  assert "objective: classify -> multiple_choice" in capsys.readouterr().err
  model = load.load(str(old))
  found = evaluation.measure(model, Copa(), str(place), splits.TEST)
  assert found.metrics["copa/accuracy"] == after["metrics"]["copa/accuracy"]


def test_one_example_a_row_is_fine_tuned_too(place, tmp_path):
  directory = tmp_path / "run"
  flags = ("--budget=steps:2", "--data.packing=document")
  assert finetune(place, directory, *flags) == 0
  assert result_of(directory)["status"] == "done"


def test_what_has_no_head_writes_the_label():
  assert recipe.objective_for(Copa(), "encoder_decoder") == "respond"
  assert recipe.objective_for(Race(), "causal_decoder") == "multiple_choice"
  assert recipe.objective_for(Sst2(), "encoder") == "classify"


def test_each_candidate_has_the_length_that_a_text_has():
  assert recipe.based(Copa(), {}).length == 2 * recipe.LENGTH
  assert recipe.based(Race(), {}).length == 4 * recipe.LENGTH
  assert recipe.based(Race(), {"length": "400"}).length == 400
  given = {"objective": "classify"}
  assert recipe.based(Race(), given).length == recipe.LENGTH


@pytest.mark.parametrize(("task", "name", "message"), [
  (Sst2(), "multiple_choice",
   "--objective=multiple_choice: --task=sst2 is fine-tuned by classify or"),
  (Race(), "mlm", "--task=race is fine-tuned by multiple_choice or classify"),
])  # fmt: skip
def test_an_objective_that_a_task_lacks_is_refused(task, name, message):
  with pytest.raises(UsageError, match=message):
    recipe.based(task, {"objective": name})


def test_a_soft_prompt_needs_one_text_a_row(finished, place, tmp_path, capsys):
  words = ["finetune", f"--model={finished}", "--task=copa"]
  words += [f"--task_data={place}", f"--workdir={tmp_path / 'run'}"]
  assert cli.main([*words, "--adapt.method=soft_prompt"]) == 2
  error = capsys.readouterr().err
  assert "--adapt.method=soft_prompt: needs one text a row" in error
  assert error.count("\n") == 1 and not (tmp_path / "run").exists()
