"""Measures of texts that models write, against their definitions."""

import json

import pytest

from lm_jax.examples.forms import Rewriting
from lm_jax.support import optional
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _generated
from lm_jax.tasks.dailydialog import Dailydialog, distinct
from lm_jax.tasks.multi30k import Multi30k
from lm_jax.tasks.scitldr import Scitldr
from lm_jax.tasks.tatoeba import Tatoeba
from lm_jax.tasks.topic import Topic
from lm_jax.tasks.triples import Triples


def translation(source, *references, pair=("en", "de")):
  return Rewriting("1", source, references, *pair)


def test_bleu_and_chrf_are_sacrebleus():
  sacrebleu = pytest.importorskip("sacrebleu")
  told = ["the cat sat on the mat .", "a dog ran home quickly today"]
  right = ["the cat is on the mat .", "a dog ran quickly home today"]
  examples = [translation("x", text) for text in right]
  metrics, scores = Multi30k().judge(told, examples)
  assert metrics == pytest.approx(
    {
      "bleu": sacrebleu.corpus_bleu(told, [right]).score,
      "chrf": sacrebleu.corpus_chrf(told, [right]).score,
    }
  )
  assert scores[0] == pytest.approx(
    sacrebleu.sentence_chrf(told[0], [right[0]]).score / 100
  )
  signatures = Multi30k().signatures(examples)
  assert signatures["bleu/en-de"].startswith(
    "nrefs:1|case:mixed|eff:no|tok:13a"
  )
  assert signatures["chrf/en-de"].startswith("nrefs:1|case:mixed|eff:yes|nc:6")


def test_pairs_are_judged_apart_and_references_may_differ_in_number():
  pytest.importorskip("sacrebleu")
  same = "one two three four five six"
  examples = [
    translation("x", "something else here at all", same, pair=("a", "b")),
    translation("x", same, pair=("a", "b")),
    translation("x", same, pair=("b", "zh")),
  ]
  metrics, scores = Tatoeba().judge([same, same, "seven"], examples)
  assert metrics["bleu/a-b"] == pytest.approx(100)
  assert metrics["bleu/b-zh"] < 1
  assert metrics["bleu"] == pytest.approx(
    (metrics["bleu/a-b"] + metrics["bleu/b-zh"]) / 2
  )
  assert scores[:2] == [1, 1]
  signatures = Tatoeba().signatures(examples)
  assert "nrefs:var" in signatures["bleu/a-b"]
  assert "tok:zh" in signatures["bleu/b-zh"]
  assert "nrefs:1" in signatures["chrf/b-zh"]


def lcs(a, b):
  if not a or not b:
    return 0
  if a[-1] == b[-1]:
    return 1 + lcs(a[:-1], b[:-1])
  return max(lcs(a[:-1], b), lcs(a, b[:-1]))


def test_rouge_is_the_nearest_references():
  pytest.importorskip("rouge_score")
  told, right = "cats run past a dog", "a cat ran past the dogs"
  far = "nothing of it"
  metrics, scores = Scitldr().judge([told], [Rewriting("1", "x", (far, right))])
  # Stemmed, as Porter has it: "run" and "ran" stay apart.
  a, b = (
    ["cat", "run", "past", "a", "dog"],
    ["a", "cat", "ran", "past", "the", "dog"],
  )
  common = len(set(a) & set(b))
  assert metrics["rouge1"] == pytest.approx(2 * common / (len(a) + len(b)))
  assert metrics["rougeL"] == pytest.approx(2 * lcs(a, b) / (len(a) + len(b)))
  assert scores == [metrics["rougeL"]]
  assert metrics["rouge2"] == 0


def test_sentences_are_lines_for_rouge_lsum():
  pytest.importorskip("rouge_score")
  assert _generated.lines("One ran. Two sat.") == "One ran.\nTwo sat."
  assert _generated.lines("a b. C d\ne") == "a b. C d\ne"
  told = "Two cats sat. One dog ran."
  metrics, _ = Scitldr().judge(
    [told], [Rewriting("1", "x", ("One dog ran. Two cats sat.",))]
  )
  assert metrics["rougeLsum"] == 1 and metrics["rougeL"] < 1


def test_replies():
  examples = [
    Rewriting("1.1", "x", ("yes I do",)),
    Rewriting("1.2", "x", ("no",)),
  ]
  metrics, scores = Dailydialog().judge(["yes yes", "no"], examples)
  assert scores == pytest.approx([2 / 5, 1])
  assert metrics == pytest.approx(
    {"f1": 0.7, "distinct_1": 2 / 3, "distinct_2": 1}
  )
  assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
  assert distinct(["a", ""], 2) == 0


def test_triples_by_hand():
  right = ["a | r | b ; c | r | d", "none", "e | q | f"]
  told = ["A | R |  b ; c | q | d ; c | q | d", "x | r | y", "none"]
  examples = [Rewriting("1", "x", (text,)) for text in right]
  metrics, scores = Triples().judge(told, examples)
  assert metrics == pytest.approx(
    {"f1": 2 * 1 / (3 + 3), "precision": 1 / 3, "recall": 1 / 3}
  )
  assert scores == [0.5, 0, 0]
  assert Triples().judge(["none"], examples[1:2]).scores == [1]


def test_topic_joins_title_and_description(tmp_path):
  record = {"title": "A", "description": "b c", "label": 3}
  (tmp_path / "test.jsonl").write_text(json.dumps(record))
  [example] = Topic().examples("test", str(tmp_path))
  assert (example.fields["text"], example.label) == ("A b c", "Sci/Tech")


def test_a_library_that_is_missing_is_named(monkeypatch):
  def missing(name):
    raise ModuleNotFoundError(f"No module named {name!r}", name="sacrebleu")

  monkeypatch.setattr(optional.importlib, "import_module", missing)
  with pytest.raises(UsageError, match=r"pip install 'lm_jax\[tasks\]'"):
    Multi30k().judge(["a"], [translation("a", "b")])


@pytest.mark.parametrize(
  "task", [Multi30k, Scitldr, Tatoeba, Dailydialog, Triples]
)
def test_data_that_tfds_has_not_must_be_named(task):
  with pytest.raises(UsageError, match="--task_data|must be a .jsonl"):
    task().examples("test")
