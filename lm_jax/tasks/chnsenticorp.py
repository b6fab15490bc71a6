"""Measures ChnSentiCorp: is a Chinese review positive or negative?"""

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base


class Chnsenticorp(base.LabelledTask):
  """Tan and Zhang 2008, reviews of hotels, books and computers; accuracy.

  The splits are those of the tables that go with ERNIE and BERT-wwm.
  """

  form = Form(
    fields={"text": ("text_a", "text", "review")},
    labels=("negative", "positive"),
  )
