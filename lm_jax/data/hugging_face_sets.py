"""Finds data sets of TFDS's Hugging Face namespace.

TFDS prepares them once, with the package `datasets`; afterwards its own files
are read, as those of any other data set.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from lm_jax.data import network, own_builders
from lm_jax.support import errors
from lm_jax.support.errors import UsageError

PREFIX = "huggingface:"
_HOST = "https://huggingface.co"


def find(name: str) -> Any:
  """Returns the builder of a data set, prepared or to be prepared.

  TFDS's own `tfds.builder("huggingface:...")` lists all of Hugging Face to
  find a name; here the repository's name is known, and only it is asked.

  Args:
    name: "huggingface:USER__REPOSITORY/CONFIGURATION", as TFDS writes names
      of repositories; the configuration may be left out.

  Raises:
    UsageError: it is not prepared, and can't be had.
  """
  repository, _, config = name.removeprefix(PREFIX).partition("/")
  from tensorflow_datasets.core.utils import conversion_utils

  hub_name = repository.replace("__", "/")
  stored = conversion_utils.to_tfds_name(hub_name)
  stored = f"{stored}/{config}" if config else stored
  builder = own_builders.prepared(stored)
  if builder is not None:
    return builder
  reason = "not prepared in a directory of TFDS, and preparing it"
  if importlib.util.find_spec("datasets") is None:
    raise UsageError(f"{reason} takes the package datasets")
  from tensorflow_datasets.core.dataset_builders import (
    huggingface_dataset_builder,
  )

  try:
    network.require(_HOST)  # The library would try again for half a minute.
    return huggingface_dataset_builder.HuggingfaceDatasetBuilder(
      hf_repo_id=hub_name,
      hf_config=config or None,
      file_format="array_record",
    )
  except (MemoryError, RecursionError):
    raise
  except Exception as error:  # Libraries below raise errors of many kinds.
    causes = [" ".join(str(e).split()) for e in errors.causes(error)]
    raise UsageError(f"{reason} failed: {causes[-1][:200]}") from error
