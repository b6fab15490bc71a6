"""Shares code of tasks with generated answers: translations and summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from lm_jax.data.text import sentences
from lm_jax.examples import files, parallel, text_pairs
from lm_jax.examples.forms import Rewriting
from lm_jax.examples.parallel import Pair, Place
from lm_jax.support import optional
from lm_jax.tasks import _bleu, _files, _words, base

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class TranslationTask(base.SupervisedTask):
  """Measures BLEU and chrF (sacrebleu, 0 to 100), averaged over pairs.

  Pairs are those of source and target language; local files are named with
  them: --task_data=multi30k=PATH:en-de. BLEU's words are those of the target's
  language (_bleu.py), unless --objective.bleu chooses.
  """

  objective = "respond"
  primary = "bleu"

  pairs: ClassVar[Sequence[Pair]] = (("en", "de"),)
  names: ClassVar[_files.Names] = _files.Names()
  tfds: ClassVar[str] = ""

  def examples(self, split: str, place: str = "") -> list[Rewriting]:
    flag = f"--task_data={self.name}" if place else f"--task={self.name}"
    parsed = Place.parse(place, self.pairs)
    return parallel.read(parsed, flag, split, self.names._asdict(), self.tfds)

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Rewriting]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    metrics: dict[str, float] = {}
    by_pair = {
      pair: _of_pair(pair, predicted, examples) for pair in pairs_of(examples)
    }
    for name in ("bleu", "chrf"):
      values = {}
      for pair, (answers, right) in by_pair.items():
        metric = self._metric(name, pair[1], right)
        values["-".join(pair)] = metric.corpus_score(
          answers, streams(right)
        ).score
      metrics[name] = sum(values.values()) / max(len(values), 1)
      if len(values) > 1:
        metrics |= {f"{name}/{pair}": value for pair, value in values.items()}
    chrf = self._metric("chrf", "", ())
    scores = [
      chrf.sentence_score(answer, list(example.references)).score / 100
      for answer, example in zip(predicted, examples, strict=True)
    ]
    return base.Judged(metrics, scores)

  def require(self, examples: Sequence[Rewriting]) -> None:
    for pair in pairs_of(examples):
      _, right = _of_pair(pair, [""] * len(examples), examples)
      self._metric("bleu", pair[1], right)

  def signatures(self, examples: Sequence[Rewriting]) -> dict[str, str]:
    signatures = {}
    for pair in pairs_of(examples):
      _, right = _of_pair(pair, [""] * len(examples), examples)
      for name in ("bleu", "chrf"):
        metric = self._metric(name, pair[1], right, references=streams(right))
        signatures[f"{name}/{'-'.join(pair)}"] = str(metric.get_signature())
    return signatures

  def _metric(
    self,
    name: str,
    language: str,
    right: Sequence[Sequence[str]],
    **options: Any,
  ) -> Any:
    """Returns the measure of that name, for references in a language."""
    if name == "chrf":
      library = optional.need("sacrebleu.metrics", self.name)
      return library.CHRF(**options)
    chosen = self.bleu or _bleu.LANGUAGE
    return _bleu.bleu(language, right, chosen, self.name, **options)


def pairs_of(examples: Sequence[Rewriting]) -> list[Pair]:
  """Lists the pairs of languages, in their order."""
  pairs = ((x.source_language, x.target_language) for x in examples)
  return list(dict.fromkeys(pairs))


def _of_pair(
  pair: Pair, predicted: Sequence[str], examples: Sequence[Rewriting]
) -> tuple[list[str], list[tuple[str, ...]]]:
  """Returns answers and references of a pair of languages."""
  chosen = [
    (answer, x.references)
    for answer, x in zip(predicted, examples, strict=True)
    if (x.source_language, x.target_language) == pair
  ]
  return [answer for answer, _ in chosen], [right for _, right in chosen]


def streams(right: Sequence[Sequence[str]]) -> list[list[str | None]]:
  """Arranges references for sacrebleu: the first of each, the second, ..."""
  most = max(map(len, right), default=1)
  return [
    [texts[i] if i < len(texts) else None for texts in right]
    for i in range(most)
  ]


class SummaryTask(_files.FileTask):
  """Measures ROUGE (rouge-score, stemmed, 0 to 1), against the best reference.

  Lin 2004. ROUGE-Lsum compares sentence by sentence. Words of other scripts
  than Latin are split differently (_words.Rouge).
  """

  objective = "respond"
  primary = "rougeL"

  def readers(self) -> Mapping[str, files.Reader]:
    return dict.fromkeys((".jsonl", ".json"), text_pairs.summaries)

  def made(self, source: files.Source) -> Iterator[Rewriting]:
    return files.made(source, text_pairs.summary)

  def require(self, examples: Sequence[Rewriting]) -> None:
    optional.need("rouge_score.rouge_scorer", self.name)

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Rewriting]
  ) -> base.Judged:
    library = optional.need("rouge_score.rouge_scorer", self.name)
    tokenizers = optional.need("rouge_score.tokenizers", self.name)
    base.require_equal(predicted, examples, self.name)
    rouge = _words.Rouge(ROUGE, library, tokenizers)
    results = [
      rouge.scores([lines(text) for text in x.references], lines(answer))
      for answer, x in zip(predicted, examples, strict=True)
    ]
    scores = {
      name: [float(x[name].fmeasure) for x in results] for name in ROUGE
    }
    metrics = {
      name: sum(values) / max(len(values), 1) for name, values in scores.items()
    }
    return base.Judged(metrics, scores[self.primary])

  def signatures(self, examples: Sequence[Rewriting]) -> dict[str, str]:
    other = sum(not _words.is_latin(x.references) for x in examples)
    if not other:
      return {}
    note = f"words of their own script: {other} of {len(examples)} examples"
    return dict.fromkeys(ROUGE, note)


def lines(text: str) -> str:
  """Puts each sentence on a line for ROUGE-Lsum; existing lines stay."""
  return text if "\n" in text.strip() else "\n".join(sentences(text))
