"""GPT-Neo's kinds of layers."""

from lm_jax.families._fields import Fields
from lm_jax.families.gpt_neo import GptNeo


def test_layers_may_come_in_any_order():
  """The list is taken before the runs, as Transformers does."""
  runs = {"num_layers": 3, "window_size": 9}
  runs["attention_types"] = [[["local"], 2], [["global"], 1]]

  def windows(fields):
    return GptNeo().trunk(Fields(fields, "test")).windows

  assert windows(runs) == (9, 9, 0)
  listed = ["global", "local", "local"]
  assert windows(runs | {"attention_layers": listed}) == (0, 9, 9)
