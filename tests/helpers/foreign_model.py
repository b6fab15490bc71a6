"""Tiny directories of Hugging Face Transformers, with weights drawn here."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import family_cases
import numpy as np
import safetensors

from lm_jax import cli
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import weights as weights_lib

# One for each way in which a parameter is read: whole or transposed, several
# side by side in one tensor, [D, H, K] for [D, H * K], of two stacks.
CONFIGS: dict[str, dict[str, Any]] = {
  "gpt2": {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "vocab_size": 68,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 32,
  },
  "bert": {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "vocab_size": 68,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
  },
  "xlnet": {
    "model_type": "xlnet",
    "architectures": ["XLNetLMHeadModel"],
    "vocab_size": 68,
    "d_model": 16,
    "n_layer": 2,
    "n_head": 2,
    "d_inner": 24,
  },
  "bart": {
    "model_type": "bart",
    "architectures": ["BartForConditionalGeneration"],
    "vocab_size": 68,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 32,
  },
}

Arrays = dict[str, np.ndarray]


def build(
  directory: pathlib.Path, name: str = "gpt2", **changes: Any
) -> Arrays:
  """Writes a directory without a tokenizer; its tensors, float32."""
  directory.mkdir(parents=True, exist_ok=True)
  text = json.dumps(CONFIGS[name] | changes, indent=2) + "\n"
  (directory / "config.json").write_text(text)
  model = read_lib.describe(directory)[0]
  tensors = {
    tensor: family_cases.draw(tensor, model.shape(rule))
    for tensor, rule in model.tensors.items()
  }
  write(directory, tensors)
  return tensors


def write(
  directory: pathlib.Path, tensors: Arrays, shard_bytes: float = 5e9
) -> None:
  """Writes the weights, or others in their place."""
  weights_lib.write(
    directory,
    [(n, x.dtype, x.shape, lambda x=x: x) for n, x in tensors.items()],
    shard_bytes,
  )


def stored(directory: pathlib.Path) -> dict[str, dict[str, Any]]:
  """What the library finds in all files: dtype, shape and bytes by name."""
  return {
    name: facts
    for file in directory.glob("*.safetensors")
    for name, facts in safetensors.deserialize(file.read_bytes())
  }


def run(command: str, model: object, **flags: object) -> int:
  """Runs a command on a model; returns its exit code."""
  given = {"model": model} | flags
  return cli.main([command, *(f"--{k}={v}" for k, v in given.items())])


def contents(folder: pathlib.Path) -> dict[str, bytes | bool]:
  """The bytes of each file below a folder by its path; False of a folder."""
  return {
    str(path.relative_to(folder)): path.is_file() and path.read_bytes()
    for path in folder.rglob("*")
  }
