"""Cases of the encoder families, for parity_test.py and make_golden.py."""

from __future__ import annotations

from typing import Any

from family_cases import BERT as _SMALL_BERT
from family_cases import DISTILBERT, Case
from family_cases import XLNET as SMALL_XLNET

Config = dict[str, Any]
_UNTIED = {"tie_word_embeddings": False}
BERT: Config = {
  **_SMALL_BERT,
  "vocab_size": 61,
  "max_position_embeddings": 20,
}
_DEEP = {**BERT, "num_hidden_layers": 4}
_ODD: Config = {
  "hidden_size": 24,
  "num_attention_heads": 3,
  "intermediate_size": 40,
  "num_labels": 5,
}
_ODD_BERT = {
  **BERT,
  **_ODD,
  "hidden_act": "relu",
  "type_vocab_size": 3,
  "layer_norm_eps": 1e-5,
}

_ALBERT = {**BERT, "embedding_size": 16, "num_hidden_layers": 3}
_ODD_ALBERT = {
  **_ODD_BERT,
  "embedding_size": 40,
  "num_hidden_layers": 3,
  "num_hidden_groups": 2,
  "inner_group_num": 2,
}
_ELECTRA = {**BERT, "embedding_size": 16}
_ODD_ELECTRA = {
  **_ODD_BERT,
  "embedding_size": 40,
  "summary_activation": "tanh",
}
_ROBERTA = {**BERT, "max_position_embeddings": 22}
_ODD_ROBERTA = {**_ODD_BERT, "pad_token_id": 4, "max_position_embeddings": 25}

_DISTILBERT: Config = {
  **DISTILBERT,
  "vocab_size": 61,
  "max_position_embeddings": 20,
}
_ODD_DISTILBERT = {
  **_DISTILBERT,
  "dim": 24,
  "n_heads": 3,
  "hidden_dim": 40,
  "activation": "relu",
  "sinusoidal_pos_embds": True,
  "pad_token_id": 3,
  "num_labels": 5,
}

_MODERNBERT: Config = {
  **BERT,
  "num_hidden_layers": 4,
  "max_position_embeddings": 24,
  "local_attention": 8,
  "pad_token_id": 0,
  "bos_token_id": 1,
  "cls_token_id": 1,
  "eos_token_id": 2,
  "sep_token_id": 2,
}
_ODD_MODERNBERT: Config = {
  **_MODERNBERT,
  **_ODD,
  "hidden_activation": "silu",
  "norm_eps": 1e-3,
  "norm_bias": True,
  "mlp_bias": True,
  "classifier_bias": True,
  "classifier_activation": "relu",
  "classifier_pooling": "mean",
  "layer_types": [
    "sliding_attention",
    "full_attention",
    "full_attention",
    "sliding_attention",
  ],
  "rope_parameters": {
    "full_attention": {"rope_type": "default", "rope_theta": 500.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
  },
}
_BIASED = {
  **_MODERNBERT,
  "attention_bias": True,
  "global_attn_every_n_layers": 2,
}

XLNET: Config = {**SMALL_XLNET, "vocab_size": 61, "mem_len": None}  # all of it
ODD_XLNET = {
  **XLNET,
  "d_model": 24,
  "n_head": 3,
  "d_inner": 40,
  "ff_activation": "relu",
  "layer_norm_eps": 1e-5,
  "num_labels": 5,
  **_UNTIED,
}

CASES = [
  Case("AlbertForMaskedLM", _ALBERT, 20, types=2),
  Case("AlbertForMaskedLM", _ODD_ALBERT | _UNTIED, 20, types=3, name="odd"),
  Case(
    "AlbertForMaskedLM",
    {**_ALBERT, "num_hidden_groups": 3},
    17,
    name="not_shared",
  ),
  Case("AlbertForPreTraining", _ALBERT, 20, types=2, output="pair"),
  Case("AlbertModel", _ALBERT, 20),
  Case("AlbertForSequenceClassification", _ODD_ALBERT, 20, types=3),
  Case("AlbertForMultipleChoice", _ALBERT, 20, types=2),
  Case("AlbertForTokenClassification", _ODD_ALBERT, 20),
  Case("AlbertForQuestionAnswering", _ALBERT, 20),
  Case("BertForMaskedLM", BERT, 20, types=2),
  Case("BertForMaskedLM", _ODD_BERT | _UNTIED, 20, name="odd"),
  Case("BertForMaskedLM", _DEEP, 17, name="deep"),
  Case("BertForPreTraining", BERT, 20, types=2),
  Case("BertModel", BERT, 20),
  Case("BertForNextSentencePrediction", BERT, 20, types=2),
  Case("BertForSequenceClassification", _ODD_BERT, 20, types=3),
  Case("BertForMultipleChoice", _ODD_BERT, 20, types=3),
  Case("BertForTokenClassification", _ODD_BERT, 20),
  Case("BertForQuestionAnswering", BERT, 20),
  Case("DistilBertForMaskedLM", _DISTILBERT, 20),
  Case("DistilBertForMaskedLM", _ODD_DISTILBERT | _UNTIED, 20, name="odd"),
  Case(
    "DistilBertForMaskedLM", {**_DISTILBERT, "n_layers": 4}, 17, name="deep"
  ),
  Case("DistilBertModel", _DISTILBERT, 20),
  Case("DistilBertForSequenceClassification", _ODD_DISTILBERT, 20),
  Case("DistilBertForMultipleChoice", _DISTILBERT, 20),
  Case("DistilBertForTokenClassification", _ODD_DISTILBERT, 20),
  Case("DistilBertForQuestionAnswering", _DISTILBERT, 20),
  Case("ElectraForPreTraining", _ELECTRA, 20, types=2),
  Case(
    "ElectraForPreTraining",
    {**_ODD_ELECTRA, "embedding_size": 24},
    20,
    name="odd",
  ),
  Case("ElectraForMaskedLM", _ELECTRA, 20, types=2),
  Case("ElectraForMaskedLM", _ODD_ELECTRA | _UNTIED, 20, types=3, name="odd"),
  Case("ElectraModel", {**_ELECTRA, "num_hidden_layers": 4}, 17),
  Case("ElectraForSequenceClassification", _ODD_ELECTRA, 20, types=3),
  Case("ElectraForMultipleChoice", _ODD_ELECTRA, 20),
  Case("ElectraForTokenClassification", _ODD_ELECTRA, 20),
  Case("ElectraForQuestionAnswering", _ELECTRA, 20),
  Case("ModernBertForMaskedLM", _MODERNBERT, 24),
  Case(
    "ModernBertForMaskedLM",
    {**_ODD_MODERNBERT, **_UNTIED, "decoder_bias": False},
    24,
    name="odd",
  ),
  Case("ModernBertForMaskedLM", _BIASED, 23, name="biased"),
  Case("ModernBertModel", _MODERNBERT, 24),
  Case("ModernBertForSequenceClassification", _ODD_MODERNBERT, 24),
  Case("ModernBertForMultipleChoice", _MODERNBERT, 24, left=True),
  Case("ModernBertForTokenClassification", _ODD_MODERNBERT, 24),
  Case("ModernBertForQuestionAnswering", _MODERNBERT, 24),
  Case("RobertaForMaskedLM", _ROBERTA, 20, types=2),
  Case("RobertaForMaskedLM", _ODD_ROBERTA | _UNTIED, 20, types=3, name="odd"),
  Case(
    "RobertaForMaskedLM",
    {**_ROBERTA, "num_hidden_layers": 4},
    17,
    name="deep",
  ),
  Case("RobertaModel", _ROBERTA, 20),
  Case("RobertaForSequenceClassification", _ODD_ROBERTA, 20, types=3),
  Case("RobertaForMultipleChoice", _ROBERTA, 20),
  Case("RobertaForTokenClassification", _ODD_ROBERTA, 20),
  Case("RobertaForQuestionAnswering", _ROBERTA, 20),
  Case("XLMRobertaForMaskedLM", _ROBERTA, 20),
  Case("XLMRobertaForSequenceClassification", _ODD_ROBERTA | _UNTIED, 20),
  Case("XLNetLMHeadModel", XLNET, 20, types=3, left=True),
  Case("XLNetLMHeadModel", ODD_XLNET, 20, types=2, name="odd"),
  Case("XLNetLMHeadModel", {**XLNET, "n_layer": 4}, 96, name="deep"),
  Case("XLNetModel", XLNET, 20, left=True),
  Case("XLNetForSequenceClassification", ODD_XLNET, 20, types=3, left=True),
  Case("XLNetForTokenClassification", ODD_XLNET, 20),
  Case("XLNetForQuestionAnsweringSimple", XLNET, 20),
]
