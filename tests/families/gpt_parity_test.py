"""GPT against live PyTorch Transformers."""

import harness
import pytest
from harness import Case

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

TINY = {
  "vocab_size": 61,
  "n_embd": 32,
  "n_layer": 2,
  "n_head": 2,
  "n_positions": 20,
  "pad_token_id": 0,
}
ODD = {
  **TINY,
  "n_embd": 24,
  "n_head": 3,
  "n_layer": 3,
  "afn": "silu",
  "layer_norm_epsilon": 1e-3,
  "num_labels": 5,
}
CASES = [
  Case("OpenAIGPTLMHeadModel", TINY, 20, types=3),
  Case(
    "OpenAIGPTLMHeadModel",
    {**ODD, "tie_word_embeddings": False},
    20,
    name="odd",
  ),
  Case(
    "OpenAIGPTLMHeadModel",
    {**TINY, "n_layer": 4, "afn": "relu"},
    17,
    name="deep",
  ),
  Case("OpenAIGPTDoubleHeadsModel", TINY, 20),
  Case("OpenAIGPTDoubleHeadsModel", TINY, 20, output="choice", name="choice"),
  Case("OpenAIGPTModel", TINY, 20),
  Case("OpenAIGPTForSequenceClassification", ODD, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
