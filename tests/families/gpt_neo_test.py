"""GPT-Neo's kinds of layers."""

import dataclasses

import published
import pytest

from lm_jax.families._fields import Fields
from lm_jax.families.gpt_neo import GptNeo
from lm_jax.hugging_face import write as write_lib

TRUNK = published.trunk("gpt-neo-125m")


def test_layers_may_come_in_any_order():
  """The list is taken before the runs, as Transformers does."""
  runs = {"num_layers": 3, "window_size": 9}
  runs["attention_types"] = [[["local"], 2], [["global"], 1]]

  def windows(fields):
    return GptNeo().trunk(Fields(fields, "test")).windows

  assert windows(runs) == (9, 9, 0)
  listed = ["global", "local", "local"]
  assert windows(runs | {"attention_layers": listed}) == (0, 9, 9)


@pytest.mark.parametrize(
  "windows", [(0,), (5,), (0, 5), (5, 0, 0), (0, 5, 5, 0)]
)
def test_every_pattern_of_one_window_goes_back(windows):
  trunk = dataclasses.replace(TRUNK, layers=5, windows=windows)
  assert write_lib.misfits(GptNeo(), trunk) == []
  two = dataclasses.replace(TRUNK, windows=(5, 7))
  assert len(write_lib.misfits(GptNeo(), two)) == 1
