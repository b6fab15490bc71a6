"""Measures TNEWS: the topic of a headline of Toutiao, one of fifteen."""

from __future__ import annotations

from lm_jax.examples.labelled import Form, Record
from lm_jax.tasks import base

# Topics by their published numbers.
TOPICS = {
  **{"100": "news_story", "101": "news_culture", "102": "news_entertainment"},
  **{"103": "news_sports", "104": "news_finance", "106": "news_house"},
  **{"107": "news_car", "108": "news_edu", "109": "news_tech"},
  **{"110": "news_military", "112": "news_travel", "113": "news_world"},
  **{"114": "news_stock", "115": "news_agriculture", "116": "news_game"},
}
_SPELLINGS = {**TOPICS, "stock": "news_stock"}


def _agreeing(record: Record) -> Record:
  """Checks that number and description of a label are of one topic."""
  described = record.get("label_desc", record.get("label_des"))
  if described is None or "label" not in record:
    return record
  described, number = str(described), str(record["label"])
  if (
    number in TOPICS
    and _SPELLINGS.get(described, described) != (TOPICS[number])
  ):
    raise ValueError(
      f"label {number} is {TOPICS[number]}, and label_desc={described:.40}"
    )
  return record


class Tnews(base.LabelledTask):
  """Xu et al. 2020, of CLUE; accuracy.

  The headline is read, and not the keywords, as by CLUE's baselines. Labels are
  the published numbers (100 to 116), their descriptions, or places among the
  numbers (0 to 14), as in Chinese BabyLM.
  """

  form = Form(
    fields={"sentence": ("sentence",)},
    labels=tuple(TOPICS.values()),
    label=("label", "label_desc", "label_des"),
    spellings=_SPELLINGS,
    tfds="huggingface:clue__clue/tnews",
    prepare=_agreeing,
  )
