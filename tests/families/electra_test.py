"""ELECTRA's discriminators and generators."""

import dataclasses

import published
import pytest

from lm_jax.families.electra import Electra
from lm_jax.hugging_face import write as write_lib
from lm_jax.models.sizes import PRESETS
from lm_jax.objectives.rtd import shrink
from lm_jax.types import Head

SMALL = published.config("electra-small-discriminator")


def test_a_discriminator_has_its_head(tmp_path):
  model = published.describe(tmp_path, SMALL)
  assert model.outputs == {"replaced": Head(1, transform="trunk")}


@pytest.mark.parametrize(
  "change",
  [
    {"summary_type": "mean"},
    {"summary_use_proj": False},
    {"summary_activation": "linear"},
  ],
)
def test_a_summary_has_no_effect_without_choices(change, tmp_path):
  model = published.describe(tmp_path, SMALL | change)
  assert model.trunk == published.trunk("electra-small-discriminator")


def test_both_models_of_replaced_token_detection_fit():
  family = Electra()
  main = dataclasses.replace(
    PRESETS["electra"], architecture="encoder", vocabulary=31, max_positions=16
  )
  head = {"replaced": Head(1, transform="trunk")}
  model = write_lib.model_of(family, main, head)
  assert model.architecture == "ElectraForPreTraining"
  assert family.objective_for(main, head) == "rtd"
  small = shrink(main, 0.25)
  model = write_lib.model_of(family, small, {"vocabulary": None})
  assert model.architecture == "ElectraForMaskedLM"
  assert family.objective_for(small, model.outputs) == "mlm"
