"""Directories of Hugging Face models of every family, made without PyTorch.

The vocabulary files are those of foreign_tokenizers.py; a tensor's name tells
its values (family_cases.draw).
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import family_cases
import foreign_tokenizers as foreign
from family_cases import BART, BERT, DISTILBERT, GPT, NEO, T5, XLNET

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import tokenizers as tokenizers_lib

_PLACES = {"max_position_embeddings": 64}
_BERT = BERT | _PLACES
_GPT = GPT | {"n_positions": 64}
_BART = BART | _PLACES | {"is_encoder_decoder": True}
_T5 = T5 | {"is_encoder_decoder": True}
_NEO = NEO | _PLACES | {"attention_types": [[["global", "local"], 1]]}
_DISTIL = DISTILBERT | _PLACES
CAUSAL = ("openai-gpt", "gpt2", "gpt_neo", "llama")
# The class of each model type and its configuration.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
  "openai-gpt": ("OpenAIGPTLMHeadModel", _GPT),
  "gpt2": ("GPT2LMHeadModel", _GPT),
  "gpt_neo": ("GPTNeoForCausalLM", _NEO),
  "llama": ("LlamaForCausalLM", _BERT),
  "bert": ("BertForMaskedLM", _BERT),
  "distilbert": ("DistilBertForMaskedLM", _DISTIL),
  "electra": ("ElectraForMaskedLM", {**_BERT, "embedding_size": 16}),
  "roberta": ("RobertaForMaskedLM", {**_BERT, "type_vocab_size": 1}),
  "xlm-roberta": ("XLMRobertaForMaskedLM", {**_BERT, "type_vocab_size": 1}),
  "albert": ("AlbertForMaskedLM", {**_BERT, "embedding_size": 16}),
  "modernbert": ("ModernBertForMaskedLM", {**_BERT, "local_attention": 8}),
  "xlnet": ("XLNetLMHeadModel", XLNET),
  "t5": ("T5ForConditionalGeneration", _T5),
  "mt5": ("MT5ForConditionalGeneration", _T5),
  "bart": ("BartForConditionalGeneration", _BART),
  "mbart": ("MBartForConditionalGeneration", _BART),
  "m2m_100": ("M2M100ForConditionalGeneration", _BART),
}


def build(
  name: str, directory: pathlib.Path, architecture: str = "", **changes: Any
) -> None:
  """Writes a directory with a tokenizer and weights.

  Args:
    name: of foreign_tokenizers.DIRECTORIES, or "modernbert".
    directory: a new one.
    architecture: the class, if not the one that has a language model.
    changes: of config.json.
  """
  if name == "modernbert":
    kind = _modernbert(directory)
  else:
    kind = foreign.build(foreign.Handmade(), name, directory)
  usual, config = MODELS[kind]
  content = {"model_type": kind, "architectures": [architecture or usual]}
  content |= config
  tokenizer = tokenizers_lib.read(directory, kind, content)
  family = next(
    f for f in read_lib.families().values() if kind in f.model_types
  )
  content |= family.tokens(tokenizer.specials)
  if kind in CAUSAL:
    content["pad_token_id"] = None  # as released
  # Some rows are more than the tokenizer has, as in many releases.
  content |= {"vocab_size": tokenizer.size + 3} | changes
  (directory / "config.json").write_text(json.dumps(content))
  write_weights(directory)


def write_weights(directory: pathlib.Path) -> None:
  """Those of the class that config.json names."""
  from safetensors.numpy import save_file

  every = read_lib.describe(directory)
  named = (m for m in every if m.architecture == every[0].architecture)
  # Without the pooler that some old files have.
  model = min(named, key=lambda m: len(m.outputs))
  shapes = {name: model.shape(rule) for name, rule in model.tensors.items()}
  duplicates = model.family.duplicates(model.trunk)
  shapes |= {duplicate: shapes[name] for duplicate, name in duplicates.items()}
  save_file(
    family_cases.draw_all(shapes),
    directory / "model.safetensors",
    metadata={"format": "pt"},
  )


def _modernbert(directory: pathlib.Path) -> str:
  """It has a tokenizer.json and no other files."""
  import tokenizers

  first = ["<|endoftext|>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]"]
  ids, merges = foreign.Handmade().bpe(first, "")
  tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ids, merges))
  tokenizer.normalizer = tokenizers.normalizers.NFC()
  tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(False)
  tokenizer.decoder = tokenizers.decoders.ByteLevel()
  tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
    single="[CLS] $A [SEP]",
    special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
  )
  directory.mkdir(parents=True)
  tokenizer.save(str(directory / "tokenizer.json"))
  options = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    **{f"{x}_token": f"[{x.upper()}]" for x in ("cls", "sep", "mask", "pad")},
    "unk_token": "[UNK]",
  }
  (directory / "tokenizer_config.json").write_text(json.dumps(options))
  return "modernbert"


# One directory of each family, both layouts of mBART.
NAMES = (
  *(
    name
    for name in foreign.DIRECTORIES
    if name not in ("llama-new", "llama-bare", "bert-cased", "bert-accents")
  ),
  "modernbert",
)
