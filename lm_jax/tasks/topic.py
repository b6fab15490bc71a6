"""Measures AG News: the topic of a news item, one of four."""

from __future__ import annotations

from lm_jax.examples.labelled import TEST, TRAIN, Form, Record
from lm_jax.tasks import _labels, base


def _joined(record: Record) -> Record:
  """Joins title and description into one text."""
  if "text" in record or "description" not in record:
    return record
  parts = (record.get("title", ""), record["description"])
  return record | {"text": " ".join(map(str, parts)).strip()}


class Topic(base.LabelledTask):
  """Zhang et al. 2015; accuracy, and F1 (macro)."""

  form = Form(
    fields={"text": ("text",)},
    labels=("World", "Sports", "Business", "Sci/Tech"),
    tfds="ag_news_subset",
    splits={TRAIN: "train", TEST: "test"},
    prepare=_joined,
  )

  def metrics(self, predicted, right):
    return {"f1": _labels.macro_f1(predicted, right, self.form.labels)}
