"""ModernBERT against live PyTorch Transformers."""

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
  "num_hidden_layers": 4,
  "num_attention_heads": 2,
  "intermediate_size": 48,
  "max_position_embeddings": 24,
  "local_attention": 8,
  "pad_token_id": 0,
  "bos_token_id": 1,
  "cls_token_id": 1,
  "eos_token_id": 2,
  "sep_token_id": 2,
}
ODD = {
  **TINY,
  "hidden_size": 24,
  "num_attention_heads": 3,
  "intermediate_size": 40,
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
  "num_labels": 5,
}
CASES = [
  Case("ModernBertForMaskedLM", TINY, 24),
  Case(
    "ModernBertForMaskedLM",
    {**ODD, "tie_word_embeddings": False, "decoder_bias": False},
    24,
    name="odd",
  ),
  Case(
    "ModernBertForMaskedLM",
    {**TINY, "attention_bias": True, "global_attn_every_n_layers": 2},
    23,
    name="biased",
  ),
  Case("ModernBertModel", TINY, 24),
  Case("ModernBertForSequenceClassification", ODD, 24),
  Case("ModernBertForMultipleChoice", TINY, 24, left=True),
  Case("ModernBertForTokenClassification", ODD, 24),
  Case("ModernBertForQuestionAnswering", TINY, 24),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
