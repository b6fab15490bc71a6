import json
import pathlib
import sys
import types

import fake_runs
import jax
import jax.numpy as jnp
import processes
import pytest

from lm_jax import cli, report
from lm_jax import config as config_lib
from lm_jax.storage import lock, workdir
from lm_jax.support import streams


class Runs(fake_runs.FakeRuns):
  """Fake runs whose configurations are checked as those of real ones."""

  def __call__(self, config):
    config_lib.build(config)
    workdir.check(config.workdir)
    workdir.check_same(config)
    return self.run(config)


@pytest.fixture
def run(tmp_path, monkeypatch):
  fake = Runs()
  for module in ("run", "comparison"):
    monkeypatch.setattr(f"lm_jax.runs.{module}.Run", fake)
  # A pilot would compile all arms (tests/runs/spends_test.py).
  monkeypatch.setattr("lm_jax.runs.spends.is_open", lambda _: False)
  # The report has tests of its own, and its figures cost seconds.
  monkeypatch.setattr(
    report.Report,
    "load",
    lambda where, recipes: types.SimpleNamespace(
      write=lambda *_: None, text=lambda *_: f"table of {where}"
    ),
  )
  monkeypatch.chdir(tmp_path)
  return fake


def _files():
  return sorted(str(p) for p in pathlib.Path().rglob("*") if p.is_file())


BAD = [
  (["trian"], "trian: unknown; did you mean train? Valid: compare"),
  (["finetunes"], "did you mean finetune?"),
  (["finetune"], "--task: needed, what to fine-tune for"),
  (["finetune", "--task=sst"], "--task=sst: unknown; did you mean sst2"),
  (["finetune", "--task=bits_per_byte"], "measures models as they are"),
  (["train", "--objective=classify"], "learns from examples: python launch.py"),
  (["list"], "list: takes one of objectives"),
  (["list", "task"], "did you mean tasks"),
  (["doctor", "x"], "doctor takes flags only"),
  # What is given counts, though it is the default.
  (["doctor", "--chips=256"], "--chips: is for a plan; give --plan, too"),
  (["report", "--baseline="], "--predictions: needed"),
  (["evaluate", "--model=x", "--tasks=sst2", "--shots="], "must name numbers"),
  (
    ["retrieve", "--collection=x", "--judge=y", "--queries="],
    "--queries: does",
  ),
  (["train", "x"], "x: train takes flags only"),
  (["train", "--sise=tiny"], "--sise: train has no such flag"),
  (["train", "--learning_rate=1"], "did you mean --optimizer.learning_rate?"),
  (["train", "--name=x"], "--name: train has no such flag"),
  (["train", "--size"], "--size"),
  (["train", "--size=tinny"], "did you mean tiny"),
  (["train", "--length=1.5"], "--length=1.5: must be a whole number"),
  (["train", "--dtype=float16"], "--dtype=float16: unknown"),
  (["train", "--objective=clmm"], "--objective=clmm: unknown"),
  (["train", "--objective.rate=0.3"], "clm has no such option. It has: none"),
  (["train", "--objective.dynamic=7"], "must be true or false"),
  (["train", "--objective=mlm", "--architecture=causal_decoder"], "encoder"),
  (["train", "--trunk.heads=5"], "--trunk.heads=5: must divide"),
  (["train", "--budget=much"], "--budget=much"),
  (["train", "--optimizer.clip=-1"], "--optimizer.clip=-1"),
  (["train", "--model=nowhere"], "--model=nowhere: not a run directory"),
  (["train", "--workdir=file/x"], "file is not a directory"),
  (["--experiment=mask"], "--experiment=mask: unknown"),
  (["--objectives=mlm,rdt"], "--objectives=rdt: unknown; did you mean rtd"),
  (["--objectives=mlm,mlm"], "each once"),
  (["--objectives=mlm", "--experiment=masking_rate"], "one of the two"),
  (["--baseline=ctl"], "--baseline=ctl: unknown"),
  (["--seeds=-1"], "--seeds=-1"),
  (["--sweep=batch=1"], "--sweep=batch"),
  (["--sweep=objective.rate=0.1"], "clm has no such option"),
  (["--sweep=batch_size=8,x"], "--batch_size=x: must be a whole number"),
  (["--sweep=trunk.heads=4,5"], "--trunk.heads=5"),
  (["--objective=mlm"], "--objective: compare has no such flag"),
  (["--workdir=file"], "file is not a directory"),
  (["evaluate"], "--model: needed"),
  (["evaluate", "--model=x", "--tasks=era_of_glory"], "--tasks=era_of_glory"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda v: str(v))
def test_bad_usage_is_one_line_and_nothing_is_written(
  argv, message, run, capsys
):
  pathlib.Path("file").write_text("")
  assert cli.main(argv) == 2
  out, err = capsys.readouterr()
  assert out == ""
  assert err.startswith("lm_jax: ")
  assert err.count("\n") == 1
  assert message in err
  assert run.configs == []
  assert _files() == ["file"]


def test_train_passes_every_flag_on(run, capsys):
  argv = ["--objective=mlm", "--size", "nano", "--objective.rate=0.3"]
  argv += ["--seed=3", "--noobjective.dynamic", "--trunk.bias"]
  assert cli.main(["train", *argv]) == 0
  (config,) = run.configs
  assert (config.objective, config.size, config.seed) == ("mlm", "nano", 3)
  assert config.objective_options == {"rate": 0.3, "dynamic": False}
  assert config.trunk == {"bias": True}
  assert config.workdir == "runs/mlm-seed3"
  assert "loss  2.500" in capsys.readouterr().out
  # The same directory, for something else.
  assert cli.main(["train", *argv, "--length=64"]) == 2
  assert "(length: 128 -> 64)" in capsys.readouterr().err
  assert len(run.configs) == 1


@pytest.mark.parametrize(
  ("status", "code"), [("done", 0), ("diverged", 3), ("interrupted", 75)]
)
def test_train_exit_code(run, status, code):
  run.outcomes["clm-seed0"] = status
  assert cli.main(["train"]) == code


def test_a_bug_is_not_bad_usage(run):
  run.outcomes["clm-seed0"] = ValueError("shapes")
  with pytest.raises(ValueError, match="shapes"):
    cli.main(["train"])


def test_a_reader_that_has_enough_is_no_bug():
  command = f"{sys.executable} launch.py train --help | head -1"
  done = processes.run("bash", "-o", "pipefail", "-c", command)
  assert done.returncode in (0, streams.CLOSED) and not done.stderr


def test_too_little_memory_is_one_line(run, capsys):
  with pytest.raises(jax.errors.JaxRuntimeError) as raised:
    jax.block_until_ready(jax.jit(lambda: jnp.zeros((1 << 30, 1 << 20)))())
  run.outcomes["clm-seed0"] = raised.value
  assert cli.main(["train"]) == 2
  said = capsys.readouterr().err
  assert said.count("\n") == 1 and "RESOURCE_EXHAUSTED" in said
  assert "--batch_size" in said


@pytest.mark.parametrize(
  ("error", "start"),
  [
    (RuntimeError("can't start new thread"), "out of processes: can't start"),
    (BlockingIOError(11, "Resource temporarily"), "out of processes: [Errno"),
    (MemoryError(), "out of memory: "),
    (OSError(12, "Cannot allocate memory"), "out of memory: [Errno 12]"),
    (RuntimeError("std::bad_alloc"), "out of memory: std::bad_alloc"),
    (ImportError("x.so: failed to map segment from"), "out of memory: x.so"),
  ],
)
def test_limits_of_memory_and_processes_are_one_line(error, start, run, capsys):
  run.outcomes["clm-seed0"] = error
  assert cli.main(["train"]) == 2
  said = capsys.readouterr().err
  assert said.startswith(f"lm_jax: {start}") and said.count("\n") == 1


def test_too_few_addresses_are_told_before_anything_aborts():
  command = f"ulimit -v 1200000; exec {sys.executable} launch.py train"
  done = processes.run("bash", "-c", command)
  assert done.returncode == 2 and done.stdout == ""
  assert done.stderr.startswith("lm_jax: the limit of memory, 1.1 GiB of")
  assert done.stderr.count("\n") == 1


def test_no_command_is_the_default_experiment(run, capsys):
  assert cli.main([]) == 0
  assert len(run.configs) == 20
  names = [config.name for config in run.configs]
  assert names[4:6] == ["clm-seed4", "prefix_lm-seed0"]
  assert "table of runs/compare_objectives" in capsys.readouterr().out
  # Again: nothing is left to do, and another budget is refused.
  assert cli.main([]) == 0
  assert cli.main(["--budget=steps:1"]) == 2
  assert len(run.configs) == 20
  assert "budget: " in capsys.readouterr().err


def test_compare_crosses_and_names(run):
  argv = ["--objectives=mlm,rtd", "--seeds=1", "--size=nano", "--workdir=w"]
  argv += ["--sweep=optimizer.learning_rate=1e-3,3e-3"]
  argv += ["--sweep=objective.rate=0.15,0.3", "--budget=steps:2"]
  assert cli.main(["compare", *argv]) == 0
  assert len(run.configs) == 8
  first = run.configs[0]
  assert first.workdir == "w/runs/mlm-learning_rate=1e-3-rate=0.15-seed0"
  assert {c.size for c in run.configs} == {"nano"}
  assert {c.budget for c in run.configs} == {"steps:2"}
  about = json.loads(pathlib.Path("w/experiment.json").read_text())
  assert about["baseline"] == "mlm-learning_rate=1e-3-rate=0.15"
  assert about["command"].startswith("python launch.py compare --objectives")


def test_a_failed_arm_ends_in_1_and_is_tried_again(run):
  run.outcomes["permutation_lm-seed1"] = RuntimeError("boom")
  assert cli.main(["compare"]) == 1
  assert len(run.configs) == 20
  run.outcomes.clear()
  assert cli.main(["compare"]) == 1
  assert len(run.configs) == 20
  assert cli.main(["compare", "--retry"]) == 0
  again = [config.name for config in run.configs[20:]]
  assert again == ["permutation_lm-seed1"]


def test_an_interrupted_experiment_goes_on(run, capsys):
  run.outcomes["mlm-seed0"] = "interrupted"
  assert cli.main([]) == 75
  assert len(run.configs) == 11
  assert "the same command goes on" in capsys.readouterr().err
  run.outcomes.clear()
  assert cli.main([]) == 0
  assert run.configs[11].name == "mlm-seed0"
  assert len(run.configs) == 11 + 10


def test_all_arms_have_documents_where_one_needs_them(run, capsys):
  argv = ["compare", "--objectives=mlm,mlm_nsp", "--seeds=1"]
  assert cli.main([*argv, "--workdir=a"]) == 0
  assert [c.data.packing for c in run.configs] == ["document"] * 2
  assert (
    "--data.packing=document for all arms: --objective=mlm_nsp needs it"
    in capsys.readouterr().err
  )
  assert cli.main([*argv, "--workdir=b", "--data.packing=packed"]) == 2
  assert "--objective=mlm_nsp needs" in capsys.readouterr().err
  assert cli.main(["train", "--objective=mlm_sop"]) == 0
  assert config_lib.with_packing(run.configs[-1]).data.packing == "document"


def test_equal_arms_are_one_run_which_is_told(run, capsys):
  argv = ["--sweep=objective=mlm,clm", "--optimizer.learning_rate=4e-3"]
  assert cli.main(["compare", *argv, "--seeds=1"]) == 0
  assert [config.name for config in run.configs] == ["mlm-seed0", "clm-seed0"]
  assert "of 8 arms only 2 differ" in capsys.readouterr().err


def test_launch_from_a_shell():
  done = processes.python("launch.py", "trian")
  assert done.returncode == 2
  assert done.stderr.startswith("lm_jax: trian: unknown")


def test_two_processes_do_not_share_an_experiment(run, capsys):
  with lock.hold("w"):
    assert cli.main(["--workdir=w"]) == 2
  assert "in use by" in capsys.readouterr().err
  assert run.configs == []
