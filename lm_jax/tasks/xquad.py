"""Measures XQuAD: SQuAD's questions in eleven languages, for testing."""

from lm_jax.tasks import _reading
from lm_jax.tasks._files import Names, Splits


class Xquad(_reading.ReadingTask):
  """Artetxe et al. 2020; exact match and F1. English by default.

  Name another language by its file: --task_data=xquad=xquad.de.json.
  """

  names = Names(test=("xquad.en",))
  whole = "test"
  tfds = "xquad/en"
  splits = Splits(train="", dev="")
