"""LLaMA against live PyTorch Transformers."""

import harness
import pytest
from harness import Case

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

TINY = {
  "vocab_size": 61,
  "hidden_size": 32,
  "intermediate_size": 48,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 24,
  "pad_token_id": 0,
}
ODD = {
  **TINY,
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
# As 3.1 has it, in small: some wavelengths are kept, some divided, and one is
# in between.
THIRD = {
  **TINY,
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
CASES = [
  Case("LlamaForCausalLM", TINY, 24),
  Case("LlamaForCausalLM", TINY, 24, left=True, name="left"),
  Case("LlamaForCausalLM", ODD, 24, name="odd"),
  Case("LlamaForCausalLM", THIRD, 23, name="third"),
  Case(
    "LlamaForCausalLM",
    {**ODD, "mlp_bias": True, "hidden_act": "gelu_pytorch_tanh"},
    24,
    name="biases",
  ),
  Case("LlamaModel", THIRD, 24),
  Case("LlamaForSequenceClassification", ODD, 24),
  Case("LlamaForTokenClassification", ODD, 24),
  Case("LlamaForQuestionAnswering", TINY, 24),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
