"""Measures XQuAD: SQuAD's questions in eleven languages, for testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lm_jax.examples.labelled import TEST
from lm_jax.tasks import _reading


class Xquad(_reading.ReadingTask):
  """Artetxe et al. 2020; exact match and F1. English by default.

  Name another language by its file: --task_data=xquad=xquad.de.json.
  """

  names: ClassVar[Mapping[str, Sequence[str]]] = {TEST: ("xquad.en",)}
  whole = TEST
  tfds = "xquad/en"
  splits: ClassVar[Mapping[str, str]] = {TEST: "test"}
