"""Measures COPA: which of two sentences is the cause, or the effect?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from lm_jax.examples import labelled, records
from lm_jax.examples.labelled import Example, Form
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base

_RECAST = Form(
  fields={name: (name,) for name in ("premise", "hypothesis")},
  labels=("entailment", "not_entailment"),
)
# The questions that people were asked.
_QUESTIONS = {
  "cause": "What was the cause of this?",
  "effect": "What happened as a result?",
}


class Copa(base.LabelledTask):
  """Roemmele et al. 2011, of SuperGLUE (Wang et al. 2019); accuracy.

  A local file may have it recast as entailment: a premise with each of its two
  alternatives, labelled "entailment" and "not_entailment". They are joined
  again; such a file does not say whether cause or effect was asked for.
  Fine-tuning reads the premise with each alternative (multiple_choice, as in
  SuperGLUE's baseline), after COPA's own question.
  """

  objective = "multiple_choice"
  choices = ("choice1", "choice2")

  form = Form(
    fields={
      name: (name,) for name in ("premise", "question", "choice1", "choice2")
    },
    labels=("choice1", "choice2"),
    tfds="super_glue/copa",
  )

  def candidates(self, example: Example) -> Mapping[str, tuple[str, ...]]:
    asked = example.fields["question"]
    fields = {**example.fields, "question": _QUESTIONS.get(asked, asked)}
    return super().candidates(dataclasses.replace(example, fields=fields))

  def examples(self, split: str, place: str = "") -> list[Example]:
    flag = f"--task_data={self.name}"
    path = labelled.file_of(place, flag, split, self.form) if place else None
    if (
      path is None or "hypothesis" not in next(iter(records.read_file(path)))[2]
    ):
      return super().examples(split, place)
    return rejoined(labelled.from_path(_RECAST, path), str(path))


def rejoined(recast: Sequence[Example], where: str) -> list[Example]:
  """Joins questions of two choices, in the order of their first one.

  Raises:
    UsageError: a premise has not one right and one wrong alternative.
  """
  by_premise: dict[str, list[Example]] = {}
  for example in recast:
    by_premise.setdefault(example.fields["premise"], []).append(example)
  examples = []
  for premise, both in by_premise.items():
    right = [e.label == "entailment" for e in both]
    if sorted(right) != [False, True]:
      raise UsageError(
        f"{where}, line {both[0].id}: its premise must come twice, with one"
        " entailment and one not_entailment"
      )
    fields = {"premise": premise, "question": ""}
    fields |= {
      f"choice{i}": e.fields["hypothesis"] for i, e in enumerate(both, start=1)
    }
    label = f"choice{1 + right.index(True)}"
    examples.append(Example(both[0].id, fields, label))
  return examples
