"""Measures HumanEval: writes functions from docstrings, and runs tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from lm_jax.examples import files, records
from lm_jax.tasks import base
from lm_jax.tasks._code import STOPS, cut, pass_at_k, program

TOKENS = 256
KS = (1, 10, 100)


class Humaneval(base.DataTask):
  """Measures pass@k by the unbiased estimator of Chen et al. 2021.

  There is one greedy text for each problem; several (--samples) are drawn with
  temperature 0.8 and top_p 0.95. Programs are run only if --run_generated_code
  allows it, in a sandbox (lm_jax/sandbox).
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not self.run_generated_code:
      raise self.error(
        "runs programs that the model wrote, which --run_generated_code"
        " allows; each in a process that can open no file, socket or process"
      )
    from lm_jax.sandbox import sandbox

    confinement = sandbox.confinement()
    scorer.require_generator(self.name)
    source = records.read(self.place, self.flag)
    problems = list(files.made(source, _problem))
    problems = records.chosen(problems, self.limit, self.seed)
    texts = scorer.continuations(
      [problem["prompt"] for problem in problems],
      seed=self.seed,
      max_new_tokens=TOKENS,
      stop_strings=STOPS,
      num_return_sequences=self.samples,
      **({"do_sample": True} if self.samples > 1 else {}),
      **({"temperature": 0.8, "top_p": 0.95} if self.samples > 1 else {}),
    )
    written = [[cut(text) for text in some] for some in texts]
    outcomes = sandbox.run_all(
      [
        program(problem, text)
        for problem, some in zip(problems, written, strict=True)
        for text in some
      ]
    )
    by_problem = [
      outcomes[start : start + self.samples]
      for start in range(0, len(outcomes), self.samples)
    ]
    passed = [sum(o.passed for o in some) for some in by_problem]
    metrics = {
      f"humaneval/pass@{k}": float(
        np.mean([pass_at_k(self.samples, c, k) for c in passed])
      )
      for k in KS
      if k <= self.samples
    }
    metrics["humaneval/items"] = float(len(problems))
    right = [c / self.samples for c in passed]
    predictions: list[dict[str, Any]] = [
      {
        "task": self.name,
        "id": problem["task_id"],
        "score": score,
        "prompt": problem["prompt"],
        "texts": some,
        "outcomes": [outcome.reason for outcome in own],
        "confined": confinement,
      }
      for problem, some, own, score in zip(
        problems, written, by_problem, right, strict=True
      )
    ]
    items = {"humaneval/pass@1": right}
    return base.Measure(metrics, items, predictions, "generated")


def _problem(record: files.Record, _: str) -> dict[str, str]:
  names = ("task_id", "prompt", "test", "entry_point")
  return {name: records.text(record, name) for name in names}
