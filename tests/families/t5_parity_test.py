"""T5 and mT5 against live PyTorch Transformers."""

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
  "d_kv": 16,
  "d_ff": 48,
  "num_layers": 2,
  "num_heads": 2,
  "decoder_start_token_id": 0,
}
# Version 1.1, and the buckets within the length of a row.
ODD = {
  **TINY,
  "d_model": 24,
  "d_kv": 10,
  "num_layers": 3,
  "num_decoder_layers": 2,
  "num_heads": 3,
  "feed_forward_proj": "gated-gelu",
  "tie_word_embeddings": False,
  "relative_attention_num_buckets": 8,
  "relative_attention_max_distance": 12,
  "layer_norm_epsilon": 1e-5,
  "num_labels": 5,
}
LM = "T5ForConditionalGeneration"
MT5 = {**TINY, "num_decoder_layers": 3, "tie_word_embeddings": False}
CASES = [
  Case(LM, TINY, 20),
  Case(LM, ODD, 24, untied="lm_head", name="odd"),
  Case(
    LM,
    # Narrow heads: without a division scores grow with their width, and with
    # them what float32 loses, in PyTorch too.
    {**TINY, "feed_forward_proj": "gated-silu", "num_layers": 4, "d_kv": 4},
    17,
    left=True,
    name="deep",
  ),
  Case("T5Model", {**TINY, "num_decoder_layers": 3}, 20),
  Case("T5EncoderModel", ODD, 20),
  Case("T5ForSequenceClassification", ODD, 20, shifted=True),
  Case("T5ForTokenClassification", {**TINY, "num_labels": 3}, 20),
  Case("T5ForQuestionAnswering", TINY, 20, shifted=True),
  Case("MT5ForConditionalGeneration", MT5, 20, untied="lm_head"),
  Case("MT5ForSequenceClassification", MT5, 20, shifted=True),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
