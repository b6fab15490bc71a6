"""Measures Tatoeba: translation between many languages by one model."""

from __future__ import annotations

import pathlib

from lm_jax.examples import labelled, parallel
from lm_jax.examples.forms import Rewriting
from lm_jax.examples.parallel import Place
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _generated


class Tatoeba(_generated.TranslationTask):
  """Many to many, a token for each language (Fan et al. 2021); BLEU and chrF.

  --task_data=tatoeba=FILE.jsonl:deu-eng,eng-deu,fra-deu names the pairs; by
  default all pairs with English. Splits are by English sentence, one in twenty
  for each of dev and test, so that none is in two.
  """

  pairs = ()

  def examples(self, split: str, place: str = "") -> list[Rewriting]:
    path, pairs = Place.parse(place)
    if not place or not pathlib.Path(path).expanduser().is_file():
      raise UsageError(
        f"--task_data=tatoeba={path}: must be a .jsonl of lang, src and eng"
      )
    translations = parallel.tatoeba(pathlib.Path(path).expanduser(), pairs)
    chosen = [example for of, example in translations if of == split]
    if not chosen and split == labelled.TEST:
      raise UsageError(f"{path}: has no sentence for testing between {pairs}")
    return chosen
