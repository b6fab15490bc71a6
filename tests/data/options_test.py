import dataclasses

import apart

from lm_jax.data.options import DataOptions


def test_every_field_has_a_help_line():
  assert all(f.metadata["help"] for f in dataclasses.fields(DataOptions))


def test_importing_options_is_cheap():
  code = (
    "import sys, lm_jax.data.options; assert not set(sys.modules) & "
    "{'jax', 'grain', 'numpy', 'tokenizers', 'tensorflow_datasets'}"
  )
  apart.python("-c", code)


def test_importing_the_rest_takes_jax_at_most():
  code = (
    "import sys, lm_jax.data.rows, lm_jax.examples.passages; "
    "import lm_jax.examples.minimal_pairs; assert not set(sys.modules) & "
    "{'grain', 'tokenizers', 'tensorflow_datasets', 'tqdm'}"
  )
  apart.python("-c", code)
