"""Every family against live PyTorch Transformers."""

import decoder_cases
import encoder_cases
import harness
import pytest

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
  "case", [*encoder_cases.CASES, *decoder_cases.CASES], ids=str
)
def test_it_is_the_same_model(case, tmp_path):
  harness.check(case, tmp_path)
