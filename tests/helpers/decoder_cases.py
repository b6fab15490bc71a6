"""Cases of families with a decoder, for parity_test.py and make_golden.py."""

from __future__ import annotations

from typing import Any

from family_cases import BART, BERT, NEO, Case
from family_cases import GPT as _SMALL_GPT
from family_cases import T5 as _SMALL_T5

Config = dict[str, Any]
_UNTIED = {"tie_word_embeddings": False}
GPT: Config = {
  **_SMALL_GPT,
  "vocab_size": 61,
  "n_positions": 20,
  "pad_token_id": 0,
}
_ODD_GPT: Config = {
  **GPT,
  "n_embd": 24,
  "n_head": 3,
  "layer_norm_epsilon": 1e-3,
  "num_labels": 5,
}
_ODD_FIRST = {**_ODD_GPT, "n_layer": 3, "afn": "silu"}
_ODD_GPT2 = {**_ODD_GPT, "n_inner": 40, "activation_function": "relu"}
# Those of Stanford (Mistral) are like this.
_SCALED = {
  **GPT,
  "n_layer": 4,
  "scale_attn_by_inverse_layer_idx": True,
  "reorder_and_upcast_attn": True,
}
_UNSCALED = {**GPT, "scale_attn_weights": False, "pad_token_id": None}

_NEO: Config = {
  **NEO,
  "vocab_size": 61,
  "num_layers": 4,
  "max_position_embeddings": 20,
  "attention_types": [[["global", "local"], 2]],
  "pad_token_id": 0,
}
_ODD_NEO: Config = {
  **_NEO,
  "hidden_size": 24,
  "num_layers": 3,
  "num_heads": 3,
  "intermediate_size": 40,
  "activation_function": "silu",
  "attention_types": [[["local"], 2], [["global"], 1]],
  "window_size": 3,
  "layer_norm_epsilon": 1e-3,
  "num_labels": 5,
}
_DENSE = {**_NEO, "num_layers": 2, "attention_types": [[["global"], 2]]}

LLAMA: Config = {
  **BERT,
  "vocab_size": 61,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 24,
  "pad_token_id": 0,
}
_ODD_LLAMA: Config = {
  **LLAMA,
  "hidden_size": 24,
  "num_attention_heads": 3,
  "num_key_value_heads": 1,
  "head_dim": 6,
  "hidden_act": "gelu",
  "rms_norm_eps": 1e-3,
  "attention_bias": True,
  "tie_word_embeddings": True,
  "rope_parameters": {
    "rope_type": "linear",
    "rope_theta": 500.0,
    "factor": 2.5,
  },
  "num_labels": 5,
}
_BIASES = {**_ODD_LLAMA, "mlp_bias": True, "hidden_act": "gelu_pytorch_tanh"}
# As 3.1 has it, in small: some wavelengths are kept, some divided, and one is
# in between.
_THIRD: Config = {
  **LLAMA,
  "num_hidden_layers": 3,
  "num_attention_heads": 2,
  "num_key_value_heads": 2,
  "mlp_bias": True,
  "rope_parameters": {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 8.0,
    "low_freq_factor": 0.5,
    "high_freq_factor": 2.0,
    "original_max_position_embeddings": 12,
  },
}

_BART: Config = {**BART, "vocab_size": 61, "max_position_embeddings": 20}
_ODD_BART = {
  **_BART,
  "d_model": 24,
  "encoder_layers": 3,
  "encoder_attention_heads": 3,
  "encoder_ffn_dim": 40,
  "activation_function": "relu",
  "scale_embedding": True,
  "num_labels": 5,
}
_ODD_M2M = {
  **_BART,
  "d_model": 24,
  "encoder_layers": 1,
  "decoder_layers": 3,
  "decoder_attention_heads": 3,
  "decoder_ffn_dim": 40,
  "activation_function": "gelu",
  "scale_embedding": False,
  "pad_token_id": 3,
  **_UNTIED,
}

T5: Config = {**_SMALL_T5, "vocab_size": 61, "decoder_start_token_id": 0}
# Version 1.1, and the buckets within the length of a row.
_ODD_T5 = {
  **T5,
  "d_model": 24,
  "d_kv": 10,
  "num_layers": 3,
  "num_decoder_layers": 2,
  "num_heads": 3,
  "feed_forward_proj": "gated-gelu",
  "relative_attention_num_buckets": 8,
  "relative_attention_max_distance": 12,
  "layer_norm_epsilon": 1e-5,
  "num_labels": 5,
  **_UNTIED,
}
# Narrow heads: without a division scores grow with their width, and with
# them what float32 loses, in PyTorch too.
_DEEP_T5 = {
  **T5,
  "feed_forward_proj": "gated-silu",
  "num_layers": 4,
  "d_kv": 4,
}
_MT5 = {**T5, **_UNTIED, "num_decoder_layers": 3}

CASES = [
  Case("OpenAIGPTLMHeadModel", GPT, 20, types=3),
  Case("OpenAIGPTLMHeadModel", _ODD_FIRST | _UNTIED, 20, name="odd"),
  Case(
    "OpenAIGPTLMHeadModel",
    {**GPT, "n_layer": 4, "afn": "relu"},
    17,
    name="deep",
  ),
  Case("OpenAIGPTDoubleHeadsModel", GPT, 20),
  Case("OpenAIGPTDoubleHeadsModel", GPT, 20, output="choice", name="choice"),
  Case("OpenAIGPTModel", GPT, 20),
  Case("OpenAIGPTForSequenceClassification", _ODD_FIRST, 20),
  Case("GPT2LMHeadModel", GPT, 20, types=3),
  Case("GPT2LMHeadModel", _ODD_GPT2 | _UNTIED, 20, name="odd"),
  Case("GPT2LMHeadModel", _SCALED, 17, name="scaled"),
  Case("GPT2LMHeadModel", _UNSCALED, 20, name="unscaled"),
  Case("GPT2DoubleHeadsModel", GPT, 20),
  Case("GPT2DoubleHeadsModel", GPT, 20, output="choice", name="choice"),
  Case("GPT2Model", GPT, 20),
  Case("GPT2ForSequenceClassification", _ODD_GPT2, 20),
  Case("GPT2ForTokenClassification", _ODD_GPT2, 20),
  Case("GPT2ForQuestionAnswering", GPT, 20),
  Case("GPTNeoForCausalLM", _NEO, 20, types=3),
  Case("GPTNeoForCausalLM", _ODD_NEO | _UNTIED, 20, name="odd"),
  Case("GPTNeoForCausalLM", _DENSE, 17, name="dense"),
  Case("GPTNeoModel", _NEO, 20),
  Case("GPTNeoForSequenceClassification", _ODD_NEO, 20),
  Case("GPTNeoForTokenClassification", _ODD_NEO, 20),
  Case("GPTNeoForQuestionAnswering", _DENSE, 20),
  Case("LlamaForCausalLM", LLAMA, 24),
  Case("LlamaForCausalLM", LLAMA, 24, left=True, name="left"),
  Case("LlamaForCausalLM", _ODD_LLAMA, 24, name="odd"),
  Case("LlamaForCausalLM", _THIRD, 23, name="third"),
  Case("LlamaForCausalLM", _BIASES, 24, name="biases"),
  Case("LlamaModel", _THIRD, 24),
  Case("LlamaForSequenceClassification", _ODD_LLAMA, 24),
  Case("LlamaForTokenClassification", _ODD_LLAMA, 24),
  Case("LlamaForQuestionAnswering", LLAMA, 24),
  Case("BartForConditionalGeneration", _BART, 20),
  Case("BartForConditionalGeneration", _ODD_BART | _UNTIED, 20, name="odd"),
  Case("BartForConditionalGeneration", {**_BART, "decoder_layers": 4}, 17),
  Case("BartModel", _ODD_BART, 20, shifted=True),
  Case("BartForSequenceClassification", _ODD_BART, 20, shifted=True),
  Case("BartForQuestionAnswering", _BART, 20, shifted=True),
  Case("MBartForConditionalGeneration", _BART, 20),
  Case("MBartForConditionalGeneration", _ODD_BART | _UNTIED, 20, name="odd"),
  Case("MBartForSequenceClassification", _ODD_BART, 20, shifted=True),
  Case("MBartForQuestionAnswering", _ODD_BART | _UNTIED, 20, shifted=True),
  Case("M2M100ForConditionalGeneration", _BART, 20),
  Case("M2M100ForConditionalGeneration", _ODD_M2M, 20, name="odd"),
  Case(
    "M2M100ForConditionalGeneration",
    {**_BART, "encoder_layers": 4},
    24,
    left=True,
    name="deep",
  ),
  Case("M2M100Model", _BART, 20),
  Case("M2M100Model", _ODD_M2M, 17, name="odd"),
  Case("T5ForConditionalGeneration", T5, 20),
  Case("T5ForConditionalGeneration", _ODD_T5, 24, untied="lm_head", name="odd"),
  Case("T5ForConditionalGeneration", _DEEP_T5, 17, left=True, name="deep"),
  Case("T5Model", {**T5, "num_decoder_layers": 3}, 20),
  Case("T5EncoderModel", _ODD_T5, 20),
  Case("T5ForSequenceClassification", _ODD_T5, 20, shifted=True),
  Case("T5ForTokenClassification", {**T5, "num_labels": 3}, 20),
  Case("T5ForQuestionAnswering", T5, 20, shifted=True),
  Case("MT5ForConditionalGeneration", _MT5, 20, untied="lm_head"),
  Case("MT5ForSequenceClassification", _MT5, 20, shifted=True),
]
