"""Text as it comes: whole characters, and where it stops."""

import numpy as np
import pytest

from lm_jax.generation.text import IncrementalDecoder, overhang
from lm_jax.inference import load


class Bytes:
  """Ids are bytes."""

  def decode(self, ids, skip_special_tokens=True):
    return bytes(ids).decode(errors="replace")


TEXT = "Grüße, 世界! 👩‍💻 ok"


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_character_is_held_back_until_it_is_whole(size):
  ids = list(TEXT.encode())
  decoder = IncrementalDecoder(Bytes(), list("é".encode()))
  pieces = [
    decoder.decode(ids[i : i + size], i + size >= len(ids))
    for i in range(0, len(ids), size)
  ]
  assert "".join(pieces) == TEXT
  assert not any("\ufffd" in piece for piece in pieces)


def test_half_a_character_at_the_end_is_shown():
  decoder = IncrementalDecoder(Bytes())
  assert decoder.decode(list("世".encode())[:2]) == ""
  assert decoder.decode([], last=True) == "\ufffd"


def test_bytes_that_are_no_character_do_not_hold_the_rest():
  decoder = IncrementalDecoder(Bytes())
  assert decoder.decode([0xE4]) == ""
  assert decoder.decode(list(b"ab")) == "\ufffdab"


def test_every_split_of_real_ids_gives_the_text(finished):

  tokenizer = load.load(str(finished.workdir)).tokenizer
  rng = np.random.default_rng(0)
  text = "The laws of my citizens. 世界 är — “so”."
  ids = tokenizer.encode(text)
  for _ in range(20):
    decoder, at, found = IncrementalDecoder(tokenizer), 0, ""
    while at < len(ids):
      size = int(rng.integers(1, 4))
      found += decoder.decode(ids[at : at + size], at + size >= len(ids))
      at += size
    assert found == tokenizer.decode(ids)


def test_the_first_stop_string_counts():
  assert overhang("a b c", ["c", "b"]) == " c"
  assert overhang("a b c", ["x", ""]) is None
