"""DistilBERT's own limits."""

import dataclasses

import published

from lm_jax.families.distilbert import DistilBert
from lm_jax.hugging_face import write as write_lib


def test_what_it_cannot_say_is_told():
  trunk = dataclasses.replace(
    published.trunk("distilbert-base-uncased"),
    norm_epsilon=1e-5,
    token_types=2,
  )
  assert write_lib.misfits(DistilBert(), trunk) == [
    "--trunk.norm_epsilon=1e-05 is 1e-12 in DistilBERT",
    "--trunk.token_types=2 is 0 in DistilBERT",
  ]
