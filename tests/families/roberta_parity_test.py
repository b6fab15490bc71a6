"""RoBERTa and XLM-RoBERTa against live PyTorch Transformers."""

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
  "num_hidden_layers": 2,
  "num_attention_heads": 2,
  "intermediate_size": 48,
  "max_position_embeddings": 22,
}
ODD = {
  **TINY,
  "hidden_size": 24,
  "num_attention_heads": 3,
  "intermediate_size": 40,
  "hidden_act": "relu",
  "type_vocab_size": 3,
  "layer_norm_eps": 1e-5,
  "pad_token_id": 4,
  "max_position_embeddings": 25,
  "num_labels": 5,
}
UNTIED = {**ODD, "tie_word_embeddings": False}
CASES = [
  Case("RobertaForMaskedLM", TINY, 20, types=2),
  Case("RobertaForMaskedLM", UNTIED, 20, types=3, name="odd"),
  Case("RobertaForMaskedLM", {**TINY, "num_hidden_layers": 4}, 17, name="deep"),
  Case("RobertaModel", TINY, 20),
  Case("RobertaForSequenceClassification", ODD, 20, types=3),
  Case("RobertaForMultipleChoice", TINY, 20),
  Case("RobertaForTokenClassification", ODD, 20),
  Case("RobertaForQuestionAnswering", TINY, 20),
  Case("XLMRobertaForMaskedLM", TINY, 20),
  Case("XLMRobertaForSequenceClassification", UNTIED, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
