"""ModernBERT: its heads and special tokens."""

import published

from lm_jax.families.modernbert import ModernBert
from lm_jax.types import Head, Specials


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


def test_special_tokens_have_its_names():
  assert ModernBert().tokens(Specials(pad=-1, boundary=1, separator=2)) == {
    "bos_token_id": 1,
    "cls_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
  }
