"""Measures PIQA: which of two ways reaches a physical goal?"""

from __future__ import annotations

from lm_jax.data import lines
from lm_jax.examples import files, labelled, records
from lm_jax.examples.labelled import Example, Form
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base


class Piqa(base.LabelledTask):
  """Bisk et al. 2020; accuracy by the likelihood of the solutions.

  The labels of the published files are in files beside them: dev.jsonl and
  dev-labels.lst. Fine-tuning reads the goal with each solution
  (multiple_choice).
  """

  objective = "multiple_choice"
  choices = ("sol1", "sol2")

  form = Form(
    fields={name: (name,) for name in ("goal", "sol1", "sol2")},
    labels=("0", "1"),
    tfds="piqa",
  )

  def examples(self, split: str, place: str = "") -> list[Example]:
    flag = f"--task_data={self.name}"
    path = labelled.file_of(place, flag, split) if place else None
    if path is None:
      return super().examples(split, place)
    labels = path.with_name(f"{path.name.partition('.')[0]}-labels.lst")
    if not labels.is_file():
      return super().examples(split, place)
    source = list(records.read_file(path))
    answers = [line.strip() for _, line in lines.texts(labels)]
    if len(answers) != len(source):
      raise UsageError(
        f"{labels}: has {len(answers)} labels, and {path} {len(source)}"
        " examples"
      )
    labelled_source = (
      (where, str(number), {**record, "label": label})
      for number, ((where, _, record), label) in enumerate(
        zip(source, answers, strict=True), start=1
      )
    )
    return list(files.made(labelled_source, self.form.example))
