import numpy as np
import pytest

from lm_jax.data import duplicates


@pytest.mark.parametrize("kept", [2**20, 7])
def test_copies_are_counted(tmp_path, monkeypatch, kept):
  monkeypatch.setattr(duplicates, "_KEPT", kept)
  counter = duplicates.Duplicates(tmp_path / "hashes")
  numbers = np.random.default_rng(0).integers(0, 300, 500).tolist()
  for number in numbers:
    # In two parts, so that only the whole tells.
    counter.add(b"document ", begins=True)
    counter.add(str(number).encode(), begins=False)
  assert (tmp_path / "hashes").exists() == (kept == 7)
  assert counter.count() == len(numbers) - len(set(numbers))
  assert not (tmp_path / "hashes").exists()


def test_of_nothing_there_are_none(tmp_path):
  assert duplicates.Duplicates(tmp_path / "hashes").count() == 0
