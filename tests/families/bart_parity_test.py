"""BART and mBART against live PyTorch Transformers."""

import harness
import pytest
from harness import Case

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

TINY = {
  "vocab_size": 61,
  "d_model": 32,
  "encoder_layers": 2,
  "encoder_attention_heads": 2,
  "encoder_ffn_dim": 48,
  "decoder_layers": 2,
  "decoder_attention_heads": 2,
  "decoder_ffn_dim": 48,
  "max_position_embeddings": 20,
}
ODD = {
  **TINY,
  "d_model": 24,
  "encoder_layers": 3,
  "encoder_attention_heads": 3,
  "encoder_ffn_dim": 40,
  "activation_function": "relu",
  "scale_embedding": True,
  "num_labels": 5,
}
UNTIED = {**ODD, "tie_word_embeddings": False}
CASES = [
  Case("BartForConditionalGeneration", TINY, 20),
  Case("BartForConditionalGeneration", UNTIED, 20, name="odd"),
  Case("BartForConditionalGeneration", {**TINY, "decoder_layers": 4}, 17),
  Case("BartModel", ODD, 20, shifted=True),
  Case("BartForSequenceClassification", ODD, 20, shifted=True),
  Case("BartForQuestionAnswering", TINY, 20, shifted=True),
  Case("MBartForConditionalGeneration", TINY, 20),
  Case("MBartForConditionalGeneration", UNTIED, 20, name="odd"),
  Case("MBartForSequenceClassification", ODD, 20, shifted=True),
  Case("MBartForQuestionAnswering", UNTIED, 20, shifted=True),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
