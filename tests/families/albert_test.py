"""ALBERT's groups of layers."""

import dataclasses

import published
from hypothesis import given
from hypothesis import strategies as st

from lm_jax.families._fields import Fields
from lm_jax.families.albert import Albert
from lm_jax.hugging_face import write as write_lib
from lm_jax.types import Head

TRUNK = published.trunk("albert-base-v2")


@given(st.integers(1, 13), st.data())
def test_groups_are_said_as_they_are_read(steps, data):
  groups = data.draw(st.integers(1, steps))
  inner = data.draw(st.integers(1, 3))
  values = {
    "num_hidden_layers": steps,
    "num_hidden_groups": groups,
    "inner_group_num": inner,
  }
  family = Albert()
  trunk = family.trunk(Fields(values, "config.json"))
  assert trunk.layers == len(trunk.sharing) == steps * inner
  assert set(trunk.sharing) == set(range(groups * inner))
  assert write_lib.misfits(family, trunk) == []


def test_which_layers_share_what():
  values = {"num_hidden_layers": 4, "num_hidden_groups": 2}
  family = Albert()
  fields = Fields(values | {"inner_group_num": 2}, "config.json")
  trunk = family.trunk(fields)
  assert trunk.sharing == (0, 1, 0, 1, 2, 3, 2, 3)
  names = {
    rule.theirs.rpartition(".attention.query.")[0]: rule.ours[0].split(".")[2]
    for rule in family.tensors(trunk)
    if ".attention.query.weight" in rule.theirs
  }
  layer = "encoder.albert_layer_groups.{}.albert_layers.{}"
  assert names == {
    layer.format(0, 0): "layer_0",
    layer.format(0, 1): "layer_1",
    layer.format(1, 0): "layer_2",
    layer.format(1, 1): "layer_3",
  }


def test_groups_and_a_pair_head_are_said():
  family = Albert()
  own = dataclasses.replace(TRUNK, sharing=())
  assert family.config(own)["num_hidden_groups"] == 12
  strange = dataclasses.replace(TRUNK, sharing=(0, 1) * 6)
  assert family.config(strange)["inner_group_num"] == 2
  pair = {"vocabulary": None, "pair": Head(2, "first", "tanh")}
  model = write_lib.model_of(family, TRUNK, pair)
  assert model.architecture == "AlbertForPreTraining"
  assert family.objective_for(TRUNK, pair) == "mlm_sop"
