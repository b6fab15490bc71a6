import json

import pytest

from lm_jax.chat.generation_config import GenerationConfig
from lm_jax.errors import UsageError


@pytest.fixture
def read(tmp_path):
  """A function from what the file holds to what is made of it."""
  (tmp_path / "hugging_face").mkdir()  # of an imported run

  def make(content):
    path = tmp_path / "hugging_face" / "generation_config.json"
    path.write_text(json.dumps(content))
    return GenerationConfig(str(tmp_path))

  return make


def test_what_is_taken_over(read, tmp_path):
  none = GenerationConfig(str(tmp_path))
  assert none.options() == {} and none.ends() == []
  values = {"do_sample": True, "temperature": 1, "top_k": None}
  found = read(values | {"max_length": 20, "num_beams": 4, "bos_token_id": 1})
  assert found.options() == {"do_sample": True, "temperature": 1.0}
  assert found.ends() == []
  assert read({"eos_token_id": 0}).ends() == [0]
  assert read({"eos_token_id": [128001, 128009]}).ends() == [128001, 128009]


def test_what_it_can_not_mean(read):
  with pytest.raises(UsageError, match=r"config.json: top_p=0.5: must be a"):
    read({"top_p": "0.5"}).options()
  for ends in ("a", [True], [-1], 1.5):
    with pytest.raises(UsageError, match=r"config.json: eos_token_id=.*ids"):
      read({"eos_token_id": ends}).ends()
  with pytest.raises(UsageError, match="must hold a JSON object"):
    read([])
