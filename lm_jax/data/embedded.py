"""The corpora that come as Python packages, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lm_jax.data import laws_zh, sotu


class Embedded(Protocol):
  """A module of such a corpus.

  TITLE, FIELDS: the name and the fields of its TFDS data set.
  fingerprint: equal for equal documents in equal splits.
  splits: reads the records by split; UsageError without the package.
  """

  @property
  def TITLE(self) -> str: ...

  @property
  def FIELDS(self) -> Mapping[str, Any]: ...

  def fingerprint(self) -> str: ...

  def splits(self) -> Mapping[str, list[dict[str, Any]]]: ...


CORPORA: dict[str, Embedded] = {"sotu": sotu, "laws_zh": laws_zh}
