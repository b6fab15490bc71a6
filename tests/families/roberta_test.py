"""RoBERTa's and XLM-RoBERTa's positions and poolers."""

import dataclasses

import published
import pytest

from lm_jax.families.roberta import Roberta
from lm_jax.hugging_face import write as write_lib
from lm_jax.types import Head, Specials

TRUNK = published.trunk("roberta-base")


@pytest.mark.parametrize(
  ("name", "bare"),
  [("roberta-base", "RobertaModel"), ("xlm-roberta-base", "XLMRobertaModel")],
)
def test_a_file_has_a_pooler_too(name, bare, tmp_path):
  model = published.describe(tmp_path, published.config(name))
  assert set(model.outputs) == {"vocabulary", "pooler"}
  kind = {"model_type": model.family.model_types[0]}
  assert published.describe(tmp_path, kind).architecture == bare


def test_positions_follow_the_padding():
  """A tokenizer of ours pads with 0: the first position has row 1."""
  family = Roberta()
  ours = dataclasses.replace(TRUNK, position_offset=1)
  assert write_lib.misfits(family, ours) == []
  config = family.config(ours)
  assert config["pad_token_id"] == family.tokens(Specials())["pad_token_id"]
  assert config["max_position_embeddings"] == 513
  head = Head(3, "first", "tanh")
  model = write_lib.model_of(family, TRUNK, {"classification": head})
  assert model.architecture == "RobertaForSequenceClassification"
