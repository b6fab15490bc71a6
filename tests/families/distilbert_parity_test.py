"""DistilBERT against live PyTorch Transformers."""

import harness
import pytest
from harness import Case

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

TINY = {
  "vocab_size": 61,
  "dim": 32,
  "n_layers": 2,
  "n_heads": 2,
  "hidden_dim": 48,
  "max_position_embeddings": 20,
}
ODD = {
  **TINY,
  "dim": 24,
  "n_heads": 3,
  "hidden_dim": 40,
  "activation": "relu",
  "sinusoidal_pos_embds": True,
  "pad_token_id": 3,
  "num_labels": 5,
}
CASES = [
  Case("DistilBertForMaskedLM", TINY, 20),
  Case(
    "DistilBertForMaskedLM",
    {**ODD, "tie_word_embeddings": False},
    20,
    name="odd",
  ),
  Case("DistilBertForMaskedLM", {**TINY, "n_layers": 4}, 17, name="deep"),
  Case("DistilBertModel", TINY, 20),
  Case("DistilBertForSequenceClassification", ODD, 20),
  Case("DistilBertForMultipleChoice", TINY, 20),
  Case("DistilBertForTokenClassification", ODD, 20),
  Case("DistilBertForQuestionAnswering", TINY, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
