"""--eval: what a run measures, and that nothing else depends on it."""

import dataclasses
import json
from pathlib import Path

import pytest
from tiny import metrics, pretrain, result_of

from lm_jax import config as config_lib
from lm_jax.inference import continued
from lm_jax.runs import attempt, protocol, run
from lm_jax.storage import identity, result_file
from lm_jax.support.errors import UsageError

PAIRS = "minimal_pairs"


@pytest.fixture
def of(tiny, tmp_path):
  """Makes the run of `finished` with another --eval."""

  def make(choice):
    config = tiny.config(tmp_path / choice, eval=choice)
    return config, pretrain(config)

  return make


def _validated(config):
  return [x["step"] for x in metrics(config.workdir) if "validation_loss" in x]


@pytest.mark.parametrize(
  ("choice", "steps"), [("final", []), ("loss", [3, 6]), ("none", [])]
)
def test_what_is_measured_and_when(of, finished, choice, steps):
  config, result = of(choice)
  whole = result_of(finished)
  assert result["digest"] == whole["digest"]
  assert result["fingerprint"] == whole["fingerprint"]
  assert _validated(config) == steps
  expected = {
    "final": whole["metrics"],
    "loss": {"validation_loss": whole["metrics"]["validation_loss"]},
    "none": {},
  }
  assert result["metrics"] == expected[choice]
  assert result["items"] == (whole["items"] if choice == "final" else {})
  losses = [x["loss"] for x in metrics(config.workdir) if "loss" in x]
  assert losses == [x["loss"] for x in metrics(finished.workdir) if "loss" in x]


def test_what_was_not_measured_is_when_it_is_asked_for(of, finished):
  config, first = of("none")
  assert attempt.is_complete(config)
  asked = dataclasses.replace(config, eval="all")
  assert not attempt.is_complete(asked)
  result = pretrain(asked)
  whole = result_of(finished)
  assert result["metrics"] == whole["metrics"]
  assert result["digest"] == first["digest"] and result["step"] == 6
  # The steps are those of before; the time of both calls is counted.
  assert result["ledger"] == pytest.approx(first["ledger"], abs=0.1)
  assert result["wall_seconds"] > first["ledger"]["seconds"]
  # What is there is not measured again, nor lost.
  assert pretrain(config) == result


def test_a_run_that_was_paused_goes_on_to_the_same_bits(
  tiny, finished, tmp_path
):
  config = tiny.config(tmp_path / "paused", stop_at=0.5)
  result = pretrain(config)
  assert (result["status"], result["step"]) == ("paused", 3)
  assert result["metrics"].keys() == {"validation_loss"}
  assert attempt.is_complete(config)
  assert pretrain(config) == result  # It is where it was to stop.
  further = dataclasses.replace(config, stop_at=1.0)
  assert not attempt.is_complete(further)
  whole = pretrain(further)
  assert (whole["status"], whole["step"]) == ("done", 6)
  assert whole["digest"] == result_of(finished)["digest"]
  assert whole["metrics"] == result_of(finished)["metrics"]


def test_both_times_are_told(of, capsys):
  config, result = of("none")
  assert 0 < result["ledger"]["seconds"] < result["wall_seconds"]
  from lm_jax.commands import train

  train.tell(config, result)
  said = capsys.readouterr().out
  assert " of training, " in said and " in all, " in said


def test_a_run_tells_how_it_goes_on_off_a_terminal(tiny, tmp_path, capsys):
  config = tiny.config(tmp_path, eval="loss", log_every=2)
  run.Run(config).execute()
  lines = capsys.readouterr().err.splitlines()
  assert lines[0] == "clm: step 0 of 6 steps, compiling"
  steps = [x.partition(",")[0] for x in lines if " tokens/s" in x]
  assert steps == ["clm: step 2", "clm: step 4", "clm: step 6"]
  assert sum("validation_loss" in line for line in lines) == 2
  assert lines[-1] == "clm: measuring"


def test_results_and_configurations_of_before_measured_all(finished):
  tree = json.loads(config_lib.to_json(finished))
  del tree["eval"]
  old = config_lib.from_json(json.dumps(tree))
  assert old.eval == "all"
  assert identity.fingerprint(old) == identity.fingerprint(finished)
  result = result_of(finished)
  del result["eval"]
  assert result_file.is_final(result, "all")
  diverged = {"status": "diverged", "eval": "none"}
  assert result_file.is_final(diverged, "all")
  assert not result_file.is_final({"status": "failed"}, "none")


def test_a_further_run_measures_all_again(finished, tmp_path):
  none = dataclasses.replace(finished, eval="none", workdir=str(tmp_path))
  Path(tmp_path, "config.json").write_text(config_lib.to_json(none))
  assert continued.continued(str(tmp_path), {}).eval == "all"


def test_what_needs_evaluations_says_so(tiny, finished):
  config = tiny.config(patience=2, eval="final")
  with pytest.raises(UsageError, match="^--patience=2: needs what is measured"):
    config_lib.build(config)
  given = {"models": [finished.workdir], "tasks": ["era"], "eval": ["none"]}
  with pytest.raises(UsageError, match="^--eval=none: a protocol chooses"):
    protocol.read(given)
