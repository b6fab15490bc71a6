"""XLNet's configurations and tensors, without PyTorch."""

import dataclasses

import foreign_model
import numpy as np
import pytest
import toy
from flax.traverse_util import unflatten_dict

import lm_jax
from lm_jax.families._fields import Fields
from lm_jax.families.xlnet import XLNet
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.inference import continued
from lm_jax.models.sizes import PRESETS
from lm_jax.runs import run
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError

FAMILY = XLNet()
TRUNK = dataclasses.replace(
  PRESETS["xlnet"],
  architecture="encoder",
  layers=2,
  width=24,
  heads=3,
  feedforward=40,
  vocabulary=31,
)
# What Transformers' XLNetLMHeadModel has, tied.
LAYER = {
  **dict.fromkeys((f"rel_attn.{x}" for x in "qkvor"), (24, 3, 8)),
  **dict.fromkeys((f"rel_attn.r_{x}_bias" for x in "rsw"), (3, 8)),
  "rel_attn.seg_embed": (2, 3, 8),
  "rel_attn.layer_norm.weight": (24,),
  "rel_attn.layer_norm.bias": (24,),
  "ff.layer_norm.weight": (24,),
  "ff.layer_norm.bias": (24,),
  "ff.layer_1.weight": (40, 24),
  "ff.layer_1.bias": (40,),
  "ff.layer_2.weight": (24, 40),
  "ff.layer_2.bias": (24,),
}
TENSORS = {
  "transformer.word_embedding.weight": (31, 24),
  "transformer.mask_emb": (1, 1, 24),
  "lm_loss.bias": (31,),
  **{
    f"transformer.layer.{i}.{name}": shape
    for i in range(2)
    for name, shape in LAYER.items()
  },
}


def _model(trunk=TRUNK):
  return write_lib.model_of(FAMILY, trunk, {"vocabulary": None})


def test_the_tensors_are_theirs():
  model = _model()
  found = {name: model.shape(rule) for name, rule in model.tensors.items()}
  assert found == TENSORS
  untied = _model(dataclasses.replace(TRUNK, tied=False))
  assert untied.tensors.keys() - TENSORS.keys() == {"lm_loss.weight"}


def test_tensors_come_back_as_they_were():
  model = _model()
  rng = np.random.default_rng(0)
  theirs = {
    name: np.float32(rng.standard_normal(shape))
    for name, shape in TENSORS.items()
  }
  ours = {}
  for name, rule in model.tensors.items():
    ours |= read_lib.split(model, rule, theirs[name])
  # o maps the heads to the width, [D, H, K]; ours is [H * K, D].
  name, path = "transformer.layer.1.rel_attn.o", "layer_1.attention.out.kernel"
  np.testing.assert_array_equal(
    ours[f"stack_main.blocks.{path}"][8 * 2 + 5], theirs[name][:, 2, 5]
  )
  tree = unflatten_dict(ours, sep=".")
  for name, _, _, make in write_lib.tensors(model, tree):
    np.testing.assert_array_equal(make(), theirs[name])


def test_what_permutation_lm_trains_is_an_xlnet():
  shape = {
    field.name: getattr(TRUNK, field.name)
    for field in dataclasses.fields(TRUNK)
    if field.name not in ("architecture", "vocabulary", "max_positions")
  }
  program = toy.program("permutation_lm", vocabulary=31, **shape)
  trained = {
    path: leaf.shape for path, leaf in flatten(program.abstract.params).items()
  }
  assert trained == _model().shapes


@pytest.mark.parametrize(
  "summary",
  [
    {"summary_type": "attn"},
    {"summary_use_proj": False},
    {"summary_activation": "selu"},
  ],
)
def test_a_summary_that_there_is_not_is_refused(summary):
  (field,) = summary
  named = {"architectures": ["XLNetForSequenceClassification"]}
  with pytest.raises(UsageError, match=f"config.json: {field}="):
    FAMILY.heads(Fields(summary | named, "config.json"))
  # Elsewhere it has no effect.
  named = {"architectures": ["XLNetLMHeadModel"]}
  assert FAMILY.heads(Fields(summary | named, "config.json"))


def test_one_that_reads_forward_is_a_causal_model(tmp_path):
  """attn_type "uni": loaded, and trained further by clm."""
  foreign_model.build(tmp_path, "xlnet", attn_type="uni")
  lm = lm_jax.load(tmp_path)
  assert lm.config.objective == "clm" and lm.scoring == "log_likelihood"
  ids = np.array([[7, 8, 9, 10]])
  other = np.array([[7, 8, 9, 60]])
  one, two = lm.logits(ids), lm.logits(other)
  np.testing.assert_allclose(one[:, :3], two[:, :3], atol=1e-6)
  assert np.abs(one[:, 3] - two[:, 3]).max() > 1e-3
  with pytest.raises(UsageError, match="which training needs"):
    run.Run(continued.continued(str(tmp_path), {}))
