"""Makes TFDS builders of lm_jax's own corpora: embedded texts, local files."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Record = dict[str, Any]


def make(
  folder: pathlib.Path,
  title: str,
  fields: Mapping[str, Any],
  splits: Callable[[], Mapping[str, Iterable[Record]]],
) -> Any:
  """Makes a builder that prepares records in a folder, in their order.

  Args:
    folder: parent of the data set's own.
    title: the data set's name.
    fields: str, or the NumPy type of a number, by the name of a field.
    splits: returns the records by split; they are read one split after the
      other.
  """
  import tensorflow_datasets as tfds

  kinds = tfds.features

  # Registered, a name could be taken once only.
  class Builder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
  ):
    name = title
    VERSION = tfds.core.Version("1.0.0")
    # Where TFDS would look for checksums of downloads; there are none.
    code_path = None

    def _info(self) -> tfds.core.DatasetInfo:
      features = {
        field: kinds.Text() if kind is str else kinds.Scalar(kind)
        for field, kind in fields.items()
      }
      return self.dataset_info_from_configs(
        features=kinds.FeaturesDict(features), disable_shuffling=True
      )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
      del dl_manager  # Nothing is downloaded.
      return {
        split: self._generate_examples(records)
        for split, records in splits().items()
      }

    def _generate_examples(
      self, records: Iterable[Record]
    ) -> Iterator[tuple[int, Record]]:
      yield from enumerate(records)

  return Builder(data_dir=folder, file_format="array_record")
