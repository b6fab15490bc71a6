"""Measures OCNLI: does a Chinese hypothesis follow, contradict, or neither?"""

from lm_jax.examples.labelled import TRAIN, Form
from lm_jax.tasks import _labels, base


class Ocnli(base.LabelledTask):
  """Hu et al. 2020, of CLUE; accuracy.

  Records with the label "-", on which most annotators did not agree, are left
  out, as its authors have it; Hugging Face has -1 for them. The largest of its
  training files that is there is read.
  """

  # In the order of the numbers that Hugging Face and Chinese BabyLM have.
  form = Form(
    fields=_labels.ENTAILMENT,
    labels=("neutral", "entailment", "contradiction"),
    tfds="huggingface:clue__clue/ocnli",
    names={TRAIN: tuple(f"train.{size}k" for size in (50, 30, 10, 3))},
    left_out=("-", -1, "-1"),
  )
