"""GPT-Neo against live PyTorch Transformers."""

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
  "num_layers": 4,
  "num_heads": 2,
  "max_position_embeddings": 20,
  "attention_types": [[["global", "local"], 2]],
  "window_size": 5,
  "pad_token_id": 0,
}
ODD = {
  **TINY,
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
DENSE = {**TINY, "num_layers": 2, "attention_types": [[["global"], 2]]}
CASES = [
  Case("GPTNeoForCausalLM", TINY, 20, types=3),
  Case(
    "GPTNeoForCausalLM", {**ODD, "tie_word_embeddings": False}, 20, name="odd"
  ),
  Case("GPTNeoForCausalLM", DENSE, 17, name="dense"),
  Case("GPTNeoModel", TINY, 20),
  Case("GPTNeoForSequenceClassification", ODD, 20),
  Case("GPTNeoForTokenClassification", ODD, 20),
  Case("GPTNeoForQuestionAnswering", DENSE, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
