"""M2M-100 against live PyTorch Transformers."""

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
  "encoder_layers": 1,
  "decoder_layers": 3,
  "decoder_attention_heads": 3,
  "decoder_ffn_dim": 40,
  "activation_function": "gelu",
  "scale_embedding": False,
  "tie_word_embeddings": False,
  "pad_token_id": 3,
}
LM = "M2M100ForConditionalGeneration"
CASES = [
  Case(LM, TINY, 20),
  Case(LM, ODD, 20, name="odd"),
  Case(LM, {**TINY, "encoder_layers": 4}, 24, left=True, name="deep"),
  Case("M2M100Model", TINY, 20),
  Case("M2M100Model", ODD, 17, name="odd"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
