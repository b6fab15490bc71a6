"""Help, listings and doctor, of the command line."""

import processes
import pytest

from lm_jax import cli
from lm_jax import config as config_lib
from lm_jax.commands import listing
from lm_jax.config import overrides


def test_help_names_every_flag_and_command(capsys):
  assert cli.main(["--help"]) == 0
  out = capsys.readouterr().out
  assert all(f"\n{command} " in out for command in cli.COMMANDS)
  for command in cli.COMMANDS:
    assert cli.main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 88
  assert cli.main(["train", "--help"]) == 0
  out = capsys.readouterr().out
  hidden = {"name", "arm", "family", *overrides.OF_TASKS}
  for flag in config_lib.schema().keys() - hidden:
    assert f"--{flag}" in out
  assert not any(f"--{flag}=" in out for flag in overrides.OF_TASKS)
  assert "--objective.mean_span" in out


@pytest.mark.parametrize(
  ("argv", "shown"),
  [
    (
      ["compare"],
      "--size=nano --batch_size=8 --optimizer.schedule=wsd --branches=auto"
      " --budget=flops:7e11 --trunk.layers=3 --seeds=5 --baseline=clm"
      " --workdir=runs/compare_objectives --log_every=20",
    ),
    (
      ["compare", "--experiment=masking_rate"],
      "--experiment=masking_rate --baseline=rate0.15 --batch_size=8",
    ),
    (
      ["finetune"],
      "--optimizer.learning_rate=5e-05 --optimizer.schedule=linear"
      " --keep_last=1",
    ),
  ],
)
def test_help_shows_what_runs(argv, shown, capsys):
  assert cli.main([*argv, "--help"]) == 0
  words = capsys.readouterr().out.split()
  assert set(shown.split()) <= set(words)


def test_help_lists_one_group_of_flags(capsys):
  assert cli.main(["train", "--help=optimizer"]) == 0
  lines = capsys.readouterr().out.splitlines()
  flags = [line.split("=")[0] for line in lines if line.startswith("  --")]
  assert flags and all(flag.startswith("  --optimizer.") for flag in flags)
  assert cli.main(["train", "--help=optimiser"]) == 2
  assert "did you mean optimizer?" in capsys.readouterr().err
  assert cli.main(["generate", "--help"]) == 0
  out = capsys.readouterr().out
  assert out.index("--model=") < out.index("--prompt=") < out.index("--seed=")
  assert out.index("\nflags:") < out.index("\nsampling:")


@pytest.mark.parametrize("kind", listing.KINDS)
def test_list(kind, capsys):
  assert cli.main(["list", kind]) == 0
  out = capsys.readouterr().out
  expected = {
    "objectives": "permutation_lm",
    "architectures": "prefix_decoder",
    "sizes": "bert",
    "experiments": "masking_rate",
    "corpora": "sotu",
  }
  assert expected.get(kind, "\n") in out


def test_doctor(capsys):
  assert cli.main(["doctor"]) == 0
  out = capsys.readouterr().out
  for word in ("python: 3.", "jax: ", "cores", "cpu", "cache: ", "free"):
    assert word in out


def test_help_and_listings_import_nothing_heavy():
  code = (
    "import sys; from lm_jax import cli; cli.main(['list', 'objectives']);"
    "cli.main(['--help']); print(sorted({'jax', 'optax'} & set(sys.modules)))"
  )
  done = processes.python("-c", code, check=True)
  assert done.stdout.endswith("[]\n")
