"""Things that are made once: configurations, look-ups, reports, files read."""

import collections
import io
import pathlib

import pytest

import lm_jax
from lm_jax import cli
from lm_jax.config import parts
from lm_jax.report import compare
from lm_jax.support import registry


@pytest.fixture
def counts(monkeypatch):
  counts = collections.Counter()

  def count(owner, name):
    real = getattr(owner, name)

    def counted(*args, **kwargs):
      counts[name] += 1
      return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)

  count(parts, "_resolve")
  count(parts, "_build")
  count(registry, "find")
  count(registry, "every")
  count(compare, "analyse")
  return counts


def _flags(tiny):
  data = tiny.data()
  return [
    *("--size=nano", "--trunk.layers=1", "--length=32", "--batch_size=4"),
    *(f"--data.corpus={data.corpus}", f"--data.tokenizer={data.tokenizer}"),
    f"--data.cache={tiny.cache}",
  ]


def test_a_run_is_resolved_and_built_once(tiny, counts, tmp_path):
  flags = [*_flags(tiny), "--budget=steps:2", f"--workdir={tmp_path}"]
  assert cli.main(["train", *flags]) == 0
  assert counts["_resolve"] == counts["_build"] == 1
  assert counts["find"] + counts["every"] <= 25


def test_evaluate_opens_a_configuration_once(tiny, finished, monkeypatch):
  opened = collections.Counter()
  real = io.open

  def count(file, *args, **kwargs):
    opened[pathlib.Path(str(file)).name] += 1
    return real(file, *args, **kwargs)

  monkeypatch.setattr(io, "open", count)
  monkeypatch.setattr("builtins.open", count)
  monkeypatch.setenv("LM_JAX_CACHE", str(tiny.cache))
  model = f"--model={finished.workdir}"
  assert cli.main(["evaluate", model, "--tasks=bits_per_byte"]) == 0
  assert opened["config.json"] == 1


def test_a_model_is_loaded_without_a_training_program(finished, monkeypatch):
  def forbidden(plan):
    raise AssertionError("a program was made")

  monkeypatch.setattr("lm_jax.training.assemble.compile_plan", forbidden)
  assert lm_jax.load(finished.workdir).num_parameters


def test_compare_analyses_its_report_once(tiny, counts, tmp_path):
  flags = [*_flags(tiny), "--budget=steps:2", f"--workdir={tmp_path}"]
  flags += ["--objectives=clm", "--seeds=2", "--optimizer.learning_rate=1e-3"]
  assert cli.main(["compare", *flags]) == 0
  assert counts["analyse"] == 1
  assert counts["_resolve"] <= 2 * 3 and counts["_build"] <= 2 * 2
