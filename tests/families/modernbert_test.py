"""ModernBERT: what fits it, and its heads."""

import dataclasses

import published
import pytest

from lm_jax.families.modernbert import ModernBert
from lm_jax.hugging_face import write as write_lib
from lm_jax.types import Head, Specials

TRUNK = published.trunk("ModernBERT-base")


def test_one_rotary_base_and_a_pool(tmp_path):
  other = published.config("ModernBERT-base") | {
    "architectures": ["ModernBertForSequenceClassification"],
    "global_rope_theta": 8000,
    "local_rope_theta": 8000,
    "classifier_bias": True,
  }
  model = published.describe(tmp_path, other)
  assert (model.trunk.rotary_base, model.trunk.local_rotary_base) == (8000, 0)
  assert model.outputs["classification"] == Head(2, "mean", "gelu", norm=True)


@pytest.mark.parametrize(
  "changes",
  [
    {"windows": (0,)},
    {"windows": (1, 0)},
    {"bias": True},
    {"bias": True, "bias_except": ("qkv", "out")},
    {"bias_except": ("out", "qkv")},
    {"activation": "geglu", "output_activation": ""},
    {"activation": "reglu", "norm_bias": True},
    {"local_rotary_base": 160000.0},
    {"local_rotary_base": 0.0},
  ],
)
def test_a_trunk_that_fits_fits(changes):
  trunk = dataclasses.replace(TRUNK, **changes)
  assert write_lib.misfits(ModernBert(), trunk) == []


@pytest.mark.parametrize(
  "changes",
  [
    {"windows": (0, 9, 5)},
    {"activation": "gelu"},
    {"bias_except": ("qkv",)},
    {"norm": "rmsnorm"},
    {"first_norm": True},
    {"kv_heads": 3},
    {"rotary_scaling": (2.0,)},
    {"token_types": 2},
  ],
)
def test_what_it_cannot_say_is_told(changes):
  (name,) = changes
  trunk = dataclasses.replace(TRUNK, **changes)
  told = write_lib.misfits(ModernBert(), trunk)
  assert any(line.startswith(f"--trunk.{name}=") for line in told)


def test_special_tokens_have_its_names():
  assert ModernBert().tokens(Specials(pad=-1, boundary=1, separator=2)) == {
    "bos_token_id": 1,
    "cls_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
  }
