"""GPT's own limits."""

from lm_jax.families.gpt import Gpt
from lm_jax.hugging_face import write as write_lib
from lm_jax.types import Trunk


def test_what_it_cannot_say_is_told():
  """Its feed-forward network is four times as wide as the model."""
  wrong = write_lib.misfits(Gpt(), Trunk(width=32, feedforward=96))
  assert "--trunk.feedforward=96 is 128 in GPT" in wrong
