import dataclasses

import apart
import pytest

from lm_jax.data.options import DataOptions


def test_every_field_has_a_help_line():
  assert all(f.metadata["help"] for f in dataclasses.fields(DataOptions))


@pytest.mark.parametrize(
  ("module", "heavy"),
  [
    ("data.options", "jax grain numpy tokenizers tensorflow_datasets"),
    ("data.rows", "grain tokenizers tensorflow_datasets tqdm"),
    ("examples.passages", "grain tokenizers tensorflow_datasets tqdm"),
    ("examples.minimal_pairs", "grain tokenizers tensorflow_datasets tqdm"),
    # Those of worker processes.
    ("data.chunks", "jax grain"),
    ("data.readers", "jax grain"),
  ],
)
def test_what_an_import_takes(module, heavy):
  code = f"import sys, lm_jax.{module}; print(*sys.modules)"
  imported = apart.python("-c", code).stdout.split()
  assert not set(imported) & set(heavy.split())
