"""What the benchmark on a GPU tells, of made-up times."""

import os
import pathlib

import processes
import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def gpu(monkeypatch):
  monkeypatch.syspath_prepend(ROOT)
  from benchmarks import gpu

  return gpu


def test_without_a_gpu_one_line_says_so():
  env = os.environ | {"JAX_PLATFORMS": "cpu"}
  found = processes.python("-m", "benchmarks.gpu", env=env)
  assert found.returncode == 1
  assert found.stdout == ""
  line = "benchmarks.gpu: no GPU here (jax sees: cpu)"
  assert found.stderr.splitlines()[-1] == line


def test_utilisation_is_by_the_products_of_the_same_turns(gpu):
  job = gpu.JOBS["clm-124M"]
  shared = {"loss": 10.9, "norm": 2.0, "peak": 2**30, "fused": set()}
  ours = {"flops": 1e12, "parameters": 124e6, "rate": 4e12, "times": [0.5] * 3}
  theirs = {"rate": 4e12, "times": [0.25] * 3}
  found = {"lm_jax": shared | ours, "PyTorch": shared | theirs}
  text = gpu.page("A card.", {"a": job}, {"a": found})
  tokens = 16 * 1024 * 2
  assert f"| a | lm_jax | 500.0 ms (500.0 to 500.0) | {tokens:,} | 50" in text
  assert f"| a | PyTorch | 250.0 ms (250.0 to 250.0) | {2 * tokens:,} | 1" in (
    text
  )
  assert "lm_jax by PyTorch 2.00." in text


def test_what_failed_and_what_was_not_run_is_told(gpu):
  job = gpu.JOBS["clm-1.3B"]
  ours = {"failed": "out of memory", "flops": 1e12, "parameters": 1.3e9}
  theirs = {"rate": 4e12, "times": [1.0] * 3, "peak": 0, "fused": {"flash"}}
  found = {"a": {"lm_jax": ours, "PyTorch": theirs}, "b": "not run: why"}
  text = gpu.page("A card.", {"a": job, "b": job}, found)
  assert "| a | lm_jax | out of memory |" in text
  assert "| 25.0% | 4 | 0.0 | flash |" in text
  assert "| b | | not run: why |" in text
  assert "by PyTorch" not in text
