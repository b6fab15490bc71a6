"""Measures continuations of held-out documents against those by people."""

from __future__ import annotations

from collections.abc import Iterator

from lm_jax.examples import files, records
from lm_jax.examples.continuation_passages import CONTINUATION, PROMPT, passages
from lm_jax.tasks import _mauve, base
from lm_jax.tasks._repetition import distinct, repetition

ITEMS = 500
TOKENS = 2 * CONTINUATION
TOP_P = 0.95


class Continuations(base.DataTask):
  """Continues the first 32 words of 96-word passages by nucleus sampling.

  p = 0.95 (Holtzman et al. 2020), and 64 words are kept. MAUVE (Pillutla et al.
  2021) compares with the true continuations, on mean-pooled features of
  --embedder, or else of the model itself; the latter is called mauve_own and is
  not comparable between models. rep-n: share of a text's n-grams of words that
  occur earlier in it (Welleck et al. 2020, their seq-rep-n); distinct-n:
  different n-grams of all texts per word (Li et al. 2016). Both are also given
  for the true texts. There are 500 passages of the corpus's test split, or of
  local documents.
  """

  @property
  def reads_corpus(self) -> bool:
    return not self.place

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    scorer.require_generator(self.name)
    limit = self.limit or ITEMS
    items = list(passages(self._documents(dataset)))
    items = records.chosen(items, limit, self.seed)
    if len(items) < 2:
      raise self.error(
        f"fewer than 2 passages of {PROMPT + CONTINUATION} words"
      )
    texts = scorer.continuations(
      [p.prompt for p in items],
      seed=self.seed,
      max_new_tokens=TOKENS,
      do_sample=True,
      top_p=TOP_P,
      top_k=0,
    )
    written = [" ".join(text.split()[:CONTINUATION]) for (text,) in texts]
    true = [p.true for p in items]
    embedder, kind = self.embedder, "mauve"
    if embedder is None:
      embedder, kind = scorer, "mauve_own"
    mauve = _mauve.mauve(
      embedder.text_features(written), embedder.text_features(true), self.seed
    )
    metrics = {f"{self.name}/{kind}": mauve}
    for name, some in (("", written), ("true/", true)):
      for n in (2, 3, 4):
        metrics[f"{self.name}/{name}rep_{n}"] = repetition(some, n)
      for n in (1, 2):
        metrics[f"{self.name}/{name}distinct_{n}"] = distinct(some, n)
    metrics[f"{self.name}/items"] = float(len(items))
    scores = [1.0 - repetition([text], 4) for text in written]
    predictions = [
      {
        "task": self.name,
        "id": passage.id,
        "score": scores[i],
        "prompt": passage.prompt,
        "true": passage.true,
        "written": written[i],
      }
      for i, passage in enumerate(items)
    ]
    by_metric = {f"{self.name}/no_rep_4": scores}
    return base.Measure(metrics, by_metric, predictions, "generated")

  def _documents(self, dataset) -> Iterator[tuple[str, str]]:
    """Yields names and texts of documents."""
    if self.place:
      return files.made(
        records.read(self.place, self.flag),
        lambda record, name: (name, records.text(record, "text")),
      )
    texts = (document.text for document in dataset.corpus.documents("test"))
    return ((str(number), text) for number, text in enumerate(texts))
