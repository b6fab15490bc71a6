"""ALBERT against live PyTorch Transformers."""

import harness
import pytest
from harness import Case

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

TINY = {
  "vocab_size": 61,
  "embedding_size": 16,
  "hidden_size": 32,
  "num_hidden_layers": 3,
  "num_attention_heads": 2,
  "intermediate_size": 48,
  "max_position_embeddings": 20,
}
ODD = {
  **TINY,
  "embedding_size": 40,
  "hidden_size": 24,
  "num_hidden_groups": 2,
  "inner_group_num": 2,
  "num_attention_heads": 3,
  "intermediate_size": 40,
  "hidden_act": "relu",
  "type_vocab_size": 3,
  "layer_norm_eps": 1e-5,
  "num_labels": 5,
}
CASES = [
  Case("AlbertForMaskedLM", TINY, 20, types=2),
  Case(
    "AlbertForMaskedLM",
    {**ODD, "tie_word_embeddings": False},
    20,
    types=3,
    name="odd",
  ),
  Case(
    "AlbertForMaskedLM",
    {**TINY, "num_hidden_groups": 3},
    17,
    name="not_shared",
  ),
  Case("AlbertForPreTraining", TINY, 20, types=2, output="pair"),
  Case("AlbertModel", TINY, 20),
  Case("AlbertForSequenceClassification", ODD, 20, types=3),
  Case("AlbertForMultipleChoice", TINY, 20, types=2),
  Case("AlbertForTokenClassification", ODD, 20),
  Case("AlbertForQuestionAnswering", TINY, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
