"""Measures WNLI: does a sentence with a pronoun replaced follow?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import _labels, base


class Wnli(base.LabelledTask):
  """Levesque et al. 2012, recast in GLUE; accuracy.

  The majority of its development set is "not_entailment", and pairs of it
  contradict the training set: chance level is not to be expected.
  """

  form = Form(
    fields=_labels.ENTAILMENT,
    labels=("not_entailment", "entailment"),
    tfds="glue/wnli",
  )
