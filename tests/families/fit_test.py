"""Trunks that fit a family, and what is said of those that do not."""

import dataclasses

import published
import pytest

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import sizes

PUBLISHED = {
  "albert": "albert-base-v2",
  "distilbert": "distilbert-base-uncased",
  "gpt": "openai-gpt",
  "gpt_neo": "gpt-neo-125m",
  "llama": "llama-3.2-1b",
  "modernbert": "ModernBERT-base",
  "roberta": "roberta-base",
}


def misfits(name, **changes):
  """Of a family's published trunk, or of its preset, with changes."""
  if name in PUBLISHED:
    trunk = published.trunk(PUBLISHED[name])
  else:
    changes = {"architecture": sizes.PUBLISHED_AS[name]} | changes
    trunk = sizes.PRESETS[name]
  trunk = dataclasses.replace(trunk, **changes)
  return write_lib.misfits(read_lib.families()[name], trunk)


@pytest.mark.parametrize("name", [*PUBLISHED, "bart", "bert", "t5", "xlnet"])
def test_it_fits_itself(name):
  assert misfits(name) == []


@pytest.mark.parametrize(
  ("name", "changes"),
  [
    ("albert", {"sharing": ()}),
    *(
      ("gpt_neo", {"layers": 5, "windows": windows})
      for windows in [(0,), (5,), (0, 5), (5, 0, 0), (0, 5, 5, 0)]
    ),
    ("llama", {"bias": True}),
    ("llama", {"bias_except": ("up", "down")}),
    ("llama", {"bias": True, "bias_except": ("down", "up")}),
    ("modernbert", {"windows": (0,)}),
    ("modernbert", {"windows": (1, 0)}),
    ("modernbert", {"bias": True}),
    ("modernbert", {"bias": True, "bias_except": ("qkv", "out")}),
    ("modernbert", {"bias_except": ("out", "qkv")}),
    ("modernbert", {"activation": "geglu", "output_activation": ""}),
    ("modernbert", {"activation": "reglu", "norm_bias": True}),
    ("modernbert", {"local_rotary_base": 160000.0}),
    ("modernbert", {"local_rotary_base": 0.0}),
  ],
)
def test_what_it_can_say_fits(name, changes):
  assert misfits(name, **changes) == []


@pytest.mark.parametrize(
  ("name", "changes", "told"),
  [
    (
      "albert",
      {"sharing": (0, 1, 1) + (0,) * 9},
      "sharing=0,1,1,0,0,0,0,0,0,0,0,0 is 0,0,0,0,0,0,1,1,1,1,1,1 in ALBERT",
    ),
    ("bert", {"token_types": 0}, "token_types=0 is 2 in BERT"),
    ("distilbert", {"token_types": 2}, "token_types=2 is 0 in DistilBERT"),
    (
      "distilbert",
      {"norm_epsilon": 1e-5},
      "norm_epsilon=1e-05 is 1e-12 in DistilBERT",
    ),
    # The generator's own activation is fixed.
    (
      "electra",
      {"activation": "relu"},
      "output_activation=(empty) is gelu in ELECTRA",
    ),
    # Its feed-forward network is four times as wide as the model.
    ("gpt", {"feedforward": 96}, "feedforward=96 is 3072 in GPT"),
    (
      "gpt_neo",
      {"layers": 2, "windows": (5, 7)},
      "windows=5,7 is 7,7 in GPT-Neo",
    ),
    ("llama", {"bias_except": ("qkv",)}, "bias_except=qkv is (empty) in LLaMA"),
    ("llama", {"layers": 1, "windows": (8,)}, "windows=8 is 0 in LLaMA"),
    ("llama", {"norm": "layernorm"}, "norm=layernorm is rmsnorm in LLaMA"),
    ("llama", {"depth_scaling": True}, "depth_scaling=true is false in LLaMA"),
    ("roberta", {"position_offset": 0}, "position_offset=0 is 1 in RoBERTa"),
    ("t5", {"norm": "layernorm"}, "norm=layernorm is rmsnorm in T5"),
    ("t5", {"bias": True}, "bias=true is false in T5"),
  ],
)
def test_what_it_cannot_say_is_told(name, changes, told):
  assert misfits(name, **changes) == [f"--trunk.{told}"]


@pytest.mark.parametrize(
  ("name", "changes"),
  [
    ("modernbert", {"windows": (0, 9, 5)}),
    ("modernbert", {"activation": "gelu"}),
    ("modernbert", {"bias_except": ("qkv",)}),
    ("modernbert", {"norm": "rmsnorm"}),
    ("modernbert", {"first_norm": True}),
    ("modernbert", {"kv_heads": 3}),
    ("modernbert", {"rotary_scaling": (2.0,)}),
    ("modernbert", {"token_types": 2}),
    ("xlnet", {"positions": "relative"}),
    ("xlnet", {"query_embedding": False}),
    ("xlnet", {"bias_except": ()}),
    ("xlnet", {"kv_heads": 1}),
    ("xlnet", {"norm_placement": "pre"}),
    ("xlnet", {"token_types": 2}),
    ("xlnet", {"output_transform": True}),
  ],
)
def test_the_option_is_among_those_that_are_told(name, changes):
  (option,) = changes
  told = misfits(name, **changes)
  assert any(line.startswith(f"--trunk.{option}=") for line in told)


def test_several_are_told_together():
  told = misfits("t5", norm="layernorm", bias=True)
  assert told == misfits("t5", norm="layernorm") + misfits("t5", bias=True)
  (narrow,) = misfits("albert", embedding_width=0)
  assert "--trunk.embedding_width=384 would fit" in narrow
