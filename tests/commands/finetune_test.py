"""Fine-tuning runs, from the command line to their files."""

import json
import pathlib
import types

import films
import pytest

from lm_jax import cli
from lm_jax.finetuning import dataset, evaluation, splits
from lm_jax.finetuning.measuring import Finetuning
from lm_jax.inference import load
from lm_jax.runs import run
from lm_jax.tasks.cola import Cola
from lm_jax.training import train

FAST = (
  *("--size=nano", "--length=32", "--batch_size=16", "--log_every=2"),
  *("--data.tokenizer=bytes", "--data.vocabulary_size=400"),
  *("--data.sentinels=8", "--optimizer.learning_rate=5e-3"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  folder = tmp_path_factory.mktemp("sst2")
  return films.write(folder, train=160, dev=40, test=60)


def _finetune(place, directory, *flags):
  return cli.main(
    [
      *("finetune", "--task=sst2", f"--task_data={place}", *FAST),
      *(f"--workdir={directory}", *flags),
    ]
  )


@pytest.fixture(scope="module")
def finished(place, tmp_path_factory):
  directory = tmp_path_factory.mktemp("run") / "sst2"
  assert _finetune(place, directory, "--epochs=6", "--eval_every=5") == 0
  return directory


def _result(directory):
  return json.loads((directory / "result.json").read_text())


def test_a_run_learns_and_tells_of_the_test_split(finished, place):
  result = _result(finished)
  assert result["status"] == "done"
  assert result["objective"] == "classify"
  assert result["metrics"]["sst2/accuracy"] > 0.95
  assert result["examples"] == {"train": 160, "dev": 40, "test": 60}
  assert result["cut"] == {"train": 0, "dev": 0, "test": 0}
  assert len(result["items"]["sst2"]) == 60
  lines = (finished / "predictions.jsonl").read_text().splitlines()
  first = json.loads(lines[0])
  assert len(lines) == 60
  assert first["task"] == "sst2" and first["predicted"] in first["label"]
  assert [json.loads(x)["score"] for x in lines] == result["items"]["sst2"]


def test_the_checkpoint_is_that_with_the_best_value(finished):
  """The loaded model answers DEV as well as the best value says."""
  selected = _result(finished)["selected"]
  best = max(value for _, value in selected["curve"])
  first = next(step for step, value in selected["curve"] if value == best)
  assert selected["step"] == first
  model = load.load(str(finished))
  task = dataset.find_task("sst2")
  place = model.config.task_data
  found = evaluation.measure(model, task, place, splits.DEV)
  assert found.metrics["sst2/accuracy"] == pytest.approx(best)


def test_the_same_command_reuses_it_and_another_is_refused(
  finished, place, capsys
):
  before = (finished / "result.json").stat().st_mtime_ns
  flags = ("--epochs=6", "--eval_every=5")
  assert _finetune(place, finished, *flags) == 0
  assert (finished / "result.json").stat().st_mtime_ns == before
  assert _finetune(place, finished, "--epochs=6", "--patience=3") == 2
  assert "patience" in capsys.readouterr().err


def test_what_is_not_measured_chooses_nothing(place, tmp_path, capsys):
  flags = ("--budget=steps:4", "--eval_every=2")
  for choice in ("none", "final"):
    assert _finetune(place, tmp_path, *flags, f"--eval={choice}") == 0
    result = _result(tmp_path)
    assert result["selected"]["step"] is None
    assert ("sst2/accuracy" in result["metrics"]) == (choice == "final")
  said = capsys.readouterr().err
  assert "loss" in said and "dev_accuracy" not in said


def _rates(directory):
  lines = (directory / "metrics.jsonl").read_text().splitlines()
  return [x["learning_rate"] for x in map(json.loads, lines) if "loss" in x]


def test_a_run_of_one_step_learns(place, tmp_path):
  flags = ("--budget=steps:1", "--log_every=1", "--eval_every=99")
  assert _finetune(place, tmp_path / "run", *flags) == 0
  assert _rates(tmp_path / "run") == pytest.approx([5e-3])


def test_a_run_of_before_rates_were_read_at_the_start_goes_on(
  place, tmp_path, monkeypatch
):
  directory = tmp_path / "run"
  flags = ("--budget=steps:3", "--log_every=1", "--eval_every=99")
  monkeypatch.setattr("lm_jax.config.parts.START", "end")
  assert _finetune(place, directory, *flags) == 0
  monkeypatch.undo()
  ended = _rates(directory)
  assert ended[-1] == 0
  # As it was written then; the run is not done.
  path = directory / "config.json"
  tree = json.loads(path.read_text())
  assert tree["optimizer"].pop("rate_at") == "end"
  path.write_text(json.dumps(tree))
  before = _result(directory)
  (directory / "result.json").unlink()
  assert _finetune(place, directory, *flags) == 0
  assert _rates(directory) == ended
  after = _result(directory)
  assert after["digest"] == before["digest"]
  assert after["fingerprint"] == before["fingerprint"]


def test_patience_ends_a_run_that_gets_no_better(place, tmp_path, monkeypatch):
  """At the third evaluation of a metric that falls."""
  values = iter([0.9, 0.5, 0.5])

  def worse(self, state):
    step, value = int(state.step), next(values)
    self._selection.note(step, value)
    return {self.metric: value}

  monkeypatch.setattr(Finetuning, "evaluate", worse)
  flags = ("--epochs=6", "--eval_every=3", "--patience=2")
  assert _finetune(place, tmp_path / "run", *flags) == 0
  result = _result(tmp_path / "run")
  assert result["selected"]["curve"] == [[3, 0.9], [6, 0.5], [9, 0.5]]
  assert result["step"] == 9 and result["selected"]["step"] == 3


def test_an_interrupted_run_goes_on_to_the_same_end(
  finished, place, tmp_path, monkeypatch
):
  """With the values that were noted before, and the same parameters."""
  real = train.fit

  def cut_short(program, state, ledger, *args, **kwargs):
    interruption = args[4]
    step = program.step

    class Once:
      def __init__(self):
        self.plan = program.plan

      def __getattr__(self, name):
        return getattr(program, name)

      def at(self, step):
        return self

      @property
      def step(self):
        def stepped(state, *rest):
          if int(state.step) == 7:
            interruption._noted = True
          return step(state, *rest)

        return stepped

    return real(Once(), state, ledger, *args, **kwargs)

  directory = tmp_path / "run"
  flags = ("--epochs=6", "--eval_every=5")
  monkeypatch.setattr(train, "fit", cut_short)
  assert _finetune(place, directory, *flags) == 75
  assert _result(directory)["status"] == "interrupted"
  monkeypatch.setattr(train, "fit", real)
  assert _finetune(place, directory, *flags) == 0
  mine, other = _result(directory), _result(finished)
  assert mine["digest"] == other["digest"]
  assert mine["selected"] == other["selected"]
  assert mine["items"] == other["items"]


def test_methods_train_less(finished, place, tmp_path):
  """A model that was trained is probed: only the head's numbers are trained."""
  base = tmp_path / "clm"
  assert (
    cli.main(
      [
        *("train", "--objective=clm", *FAST[:2], "--budget=steps:2"),
        *("--batch_size=4", "--eval=none", f"--workdir={base}"),
      ]
    )
    == 0
  )
  counts = {}
  for method in ("probe", "lora"):
    directory = tmp_path / method
    code = cli.main(
      [
        *("finetune", f"--model={base}", "--task=sst2", "--epochs=1"),
        *(f"--task_data={place}", f"--adapt.method={method}"),
        *("--length=32", f"--workdir={directory}"),
      ]
    )
    assert code == 0
    counts[method] = _result(directory)["parameters"]
  assert counts["probe"] == 64 * 2  # of the last token, without a bias
  assert counts["lora"] > counts["probe"]
  model = load.load(str(tmp_path / "probe"))
  assert model.outputs.keys() == {"classification"}


BAD_FLAGS = [
  (("--task=sst2", "--architecture=decoder"), "--architecture=decoder"),
  (("--task=sst2", "--epochs=0"), "--epochs=0: must be above 0"),
  (
    ("--task=sst2", "--epochs=1", "--budget=steps:3"),
    "--epochs=1: give it or --budget=steps:3",
  ),
  (("--task=sst2", "--batch_size=0"), "--batch_size=0: must be at least 1"),
  (("--task=sst2", "--patience=-1"), "--patience=-1: must be at least 0"),
  (("--task=sst2", "--adapt.method=probe"), "needs --model"),
  (
    ("--task=multi30k", "--architecture=encoder"),
    "--task=multi30k: is fine-tuned by respond, which fits causal_decoder",
  ),
  (("--task=sst2", "--task_data=/nowhere"), "/nowhere"),
  (("--task=sst2", "--seeds=3"), "--seeds=3: belongs to a protocol"),
]


@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS)
def test_bad_usage_is_one_line_and_nothing_is_written(
  flags, message, place, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  data = (
    [] if any("task_data" in f for f in flags) else [f"--task_data={place}"]
  )
  assert cli.main(["finetune", *flags, *data, *FAST[:2]]) == 2
  err = capsys.readouterr().err
  assert message in err and err.count("\n") == 1
  assert not pathlib.Path("runs").exists()


def test_a_label_of_no_name_is_told_with_its_line(tmp_path, capsys):
  lines = [*films.lines(12, 0), {"text": "odd", "label": 7}]
  for name in ("train", "test"):
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / f"{name}.jsonl").write_text(text)
  assert _finetune(tmp_path, tmp_path / "run") == 2
  err = capsys.readouterr().err
  assert "train.jsonl, line 13: label 7: unknown; valid: 0 negative" in err
  assert not (tmp_path / "run").exists()


def test_plain_text_and_examples_are_kept_apart(tmp_path):
  """An objective that learns from examples is no pretraining objective."""
  from lm_jax.config import Config
  from lm_jax.support.errors import UsageError

  for config, message in (
    (Config(objective="classify"), "learns from examples"),
    (Config(objective="mlm", task="sst2"), "learns from plain text"),
  ):
    with pytest.raises(UsageError, match=message):
      run.Run(config)


def test_a_curve_is_of_the_metric_that_it_was_begun_with():
  """CoLA's checkpoints were chosen by accuracy before Matthews' correlation."""
  config = types.SimpleNamespace(patience=0)
  measured = Finetuning(config, types.SimpleNamespace(task=Cola()), None)
  assert measured.metric == "dev_matthews"
  measured.resume({})
  assert measured.metric == measured.meta()["metric"] == "dev_matthews"
  curve = [[3, 0.4], [6, 0.2]]
  measured.resume({"curve": curve} | {"metric": "dev_matthews"})
  assert measured.metric == "dev_matthews"
  measured.resume({"curve": curve})
  assert measured.metric == "dev_accuracy"
  assert measured.meta()["curve"] == [(3, 0.4), (6, 0.2)]
