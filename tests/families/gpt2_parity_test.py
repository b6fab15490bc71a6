"""GPT-2 against live PyTorch Transformers."""

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
  "n_inner": 40,
  "activation_function": "relu",
  "layer_norm_epsilon": 1e-3,
  "num_labels": 5,
}
# Those of Stanford (Mistral) are like this.
SCALED = {
  **TINY,
  "n_layer": 4,
  "scale_attn_by_inverse_layer_idx": True,
  "reorder_and_upcast_attn": True,
}
CASES = [
  Case("GPT2LMHeadModel", TINY, 20, types=3),
  Case(
    "GPT2LMHeadModel", {**ODD, "tie_word_embeddings": False}, 20, name="odd"
  ),
  Case("GPT2LMHeadModel", SCALED, 17, name="scaled"),
  Case(
    "GPT2LMHeadModel",
    {**TINY, "scale_attn_weights": False, "pad_token_id": None},
    20,
    name="unscaled",
  ),
  Case("GPT2DoubleHeadsModel", TINY, 20),
  Case("GPT2DoubleHeadsModel", TINY, 20, output="choice", name="choice"),
  Case("GPT2Model", TINY, 20),
  Case("GPT2ForSequenceClassification", ODD, 20),
  Case("GPT2ForTokenClassification", ODD, 20),
  Case("GPT2ForQuestionAnswering", TINY, 20),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
