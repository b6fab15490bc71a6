"""Measures IMDb: is a film review positive or negative?"""

from lm_jax.examples.labelled import TEST, TRAIN, Form
from lm_jax.tasks import base


class MovieReviews(base.LabelledTask):
  """Maas et al. 2011; accuracy. Long: most reviews have 200 words or more."""

  form = Form(
    fields={"text": ("text", "review")},
    labels=("neg", "pos"),
    label=("label", "sentiment"),
    spellings={"negative": "neg", "positive": "pos"},
    tfds="imdb_reviews",
    splits={TRAIN: "train", TEST: "test"},
  )
