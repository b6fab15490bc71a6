"""The files by which sentence-transformers reads an encoder as embeddings.

Its `SentenceTransformer(directory)` gives a text the vector that `lm.embed`
of the directory gives it: the pooled states of the last layer.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from lm_jax.loaded_model import Trained

_POOLING = pathlib.PurePosixPath("1_Pooling", "config.json")
FILES = (
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
  str(_POOLING),
)
_TYPE = "sentence_transformers.models."
# Their names of what is pooled, by ours.
_MODES = {"mean": "mean_tokens", "first": "cls_token", "last": "lasttoken"}
_OTHERS = ("max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens")


def write(directory: pathlib.Path, model: Trained) -> None:
  """Writes them beside an encoder."""
  own = model.objective.embedding
  pooling: dict[str, Any] = {
    "word_embedding_dimension": dict(model.network.trunks)["main"].width,
    **{
      f"pooling_mode_{name}": name == _MODES[own.pool]
      for name in (*_MODES.values(), *_OTHERS)
    },
    "include_prompt": True,
  }
  contents: dict[str, Any] = {
    "modules.json": [
      {"idx": 0, "name": "0", "path": "", "type": f"{_TYPE}Transformer"},
      {
        "idx": 1,
        "name": "1",
        "path": _POOLING.parent.name,
        "type": f"{_TYPE}Pooling",
      },
    ],
    "sentence_bert_config.json": {
      "max_seq_length": model.text_length,
      "do_lower_case": False,
    },
    "config_sentence_transformers.json": {
      "prompts": {},
      "default_prompt_name": None,
      "similarity_fn_name": own.similarity,
    },
    str(_POOLING): pooling,
  }
  for name, content in contents.items():
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
