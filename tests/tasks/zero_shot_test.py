"""Tasks that ask a model as it is, by a model whose answers are known."""

import json
import math

import numpy as np
import pytest
from json_lines import write
from known_scores import Model, task

from lm_jax.examples.labelled import TEST
from lm_jax.support.errors import UsageError
from lm_jax.tasks.arc_easy import ArcEasy
from lm_jax.tasks.blimp import Blimp
from lm_jax.tasks.copa import Copa
from lm_jax.tasks.hellaswag import Hellaswag
from lm_jax.tasks.lambada import Lambada
from lm_jax.tasks.piqa import Piqa
from lm_jax.tasks.winogrande import Winogrande
from lm_jax.tasks.wnli import Wnli


def blimp(uid, good, bad, number, field="syntax", term="binding"):
  names = {"uid": uid, "field": field, "term": term}
  return {**names, "good": good, "bad": bad, "pair_id": str(number)}


PAIRS = [
  blimp("a", "cats sleep", "cats sleeps", 0),
  blimp("a", "dogs run", "dogs runs", 1),
  blimp("b", "it is", "it are", 0, "morphology", "agreement"),
  blimp("b", "he is", "he are", 1, "morphology", "agreement"),
]


def test_blimp_of_other_languages_has_fields_of_its_own(tmp_path):
  folder = tmp_path / "zhoblimp"  # a file a paradigm
  folder.mkdir()
  for uid in ("BA_one", "BEI_two"):
    pairs = [
      {"UID": uid, "phenomenon": uid[:2], "sentence_good": f"他来{i}"}
      | {"sentence_bad": f"来他了{i}", "pairID": i}
      for i in range(2)
    ]
    write(folder / f"{uid}.jsonl", pairs)
  model = Model(lambda text: -len(text))
  found = task(Blimp, folder).measure(model, None)
  assert {x["id"] for x in found.predictions} == {
    *("BA_one/0", "BA_one/1", "BEI_two/0", "BEI_two/1")
  }
  assert found.metrics["blimp/term/BA"] == 1.0
  assert not any("field" in name for name in found.metrics)
  pair = {"ID": 7, "good_sentence": "犬が来た。", "bad_sentence": "犬を来た。"}
  pair |= {"type": "acceptability", "phenomenon": "argument structure"}
  pair |= {"phenomenon-2": None, "paradigm": "case"}
  place = write(tmp_path / "jblimp.jsonl", [pair])
  found = task(Blimp, place).measure(model, None)
  assert found.predictions[0]["id"] == "case/7"
  assert found.metrics["blimp/term/argument structure"] == 0.5
  write(folder / "test.jsonl", [pair])  # as everywhere
  found = task(Blimp, folder).measure(model, None)
  assert [x["id"] for x in found.predictions] == ["case/7"]


def test_blimp_by_field_phenomenon_and_paradigm(tmp_path):
  place = write(tmp_path / "x.jsonl.gz", PAIRS)
  # Shorter is better; "he is" is as good as "he are"; "it are" beats "it is".
  known = {"he is": 0.0, "he are": 0.0, "it is": -9.0, "it are": -8.0}
  model = Model(lambda text: known.get(text, -len(text)))
  found = task(Blimp, place).measure(model, None)
  assert found.items["blimp"] == [1.0, 1.0, 0.0, 0.5]
  assert found.items["blimp/term/agreement"] == [0.0, 0.5]
  assert found.items["blimp/uid/a"] == [1.0, 1.0]
  assert found.metrics == {
    "blimp": 0.625,
    "blimp/field/syntax": 1.0,
    "blimp/field/morphology": 0.25,
    "blimp/term/binding": 1.0,
    "blimp/term/agreement": 0.25,
    "blimp/uid/a": 1.0,
    "blimp/uid/b": 0.25,
    "blimp/items": 4.0,
  }
  assert found.predictions[3] == {
    "task": "blimp",
    "id": "b/1",
    "score": 0.5,
    "good": "he is",
    "bad": "he are",
    "scores": [0.0, 0.0],
  }
  assert [p["score"] for p in found.predictions] == found.items["blimp"]


def test_blimp_as_its_authors_publish_it(tmp_path):
  names = {"UID": "a", "field": "syntax", "linguistics_term": "binding"}
  own = {"sentence_good": "a b", "sentence_bad": "a b c", "pairID": "7"}
  place = write(tmp_path / "x.jsonl", [names | own])
  found = task(Blimp, place).measure(Model(lambda text: -len(text)), None)
  assert found.metrics["blimp"] == 1.0
  assert found.predictions[0]["id"] == "a/7"


def test_a_limit_is_drawn_by_the_seed(tmp_path):
  place = write(tmp_path / "x.jsonl", PAIRS)
  ids = {
    tuple(
      p["id"]
      for p in task(Blimp, place, limit=2, seed=seed)
      .measure(Model(len), None)
      .predictions
    )
    for seed in (0, 0, 1, 2, 3)
  }
  assert all(len(two) == 2 for two in ids)
  assert 1 < len(ids) <= 4


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ('{"uid": "a"', "line 2: not JSON"),
    ("[1]", "line 2: must be an object"),
    (json.dumps(blimp("a", "x", "y", 0) | {"bad": ""}), "line 2: field bad=''"),
    (json.dumps(blimp("a", "x", 3, 0)), "line 2: field bad=3: must be text"),
    (
      json.dumps({"uid": "a", "field": "f", "term": "t", "good": "x"}),
      "line 2: no field 'bad' or 'sentence_bad' or 'bad_sentence' or"
      " 'wrong_sen' or 'target_sentence' or 'sent_bad'; it has 'field', 'good'",
    ),
  ],
)
def test_what_is_wrong_with_a_line_is_told(tmp_path, line, message):
  path = tmp_path / "x.jsonl"
  path.write_text(json.dumps(PAIRS[0]) + f"\n{line}\n")
  with pytest.raises(UsageError, match="x.jsonl, line 2") as error:
    task(Blimp, path).measure(Model(len), None)
  assert message in str(error.value)


def test_a_missing_file_is_told(tmp_path):
  with pytest.raises(UsageError, match="--task_data=blimp=.*: no such file"):
    task(Blimp, tmp_path / "none").measure(Model(len), None)
  (tmp_path / "empty.jsonl").write_text("\n")
  with pytest.raises(UsageError, match=r"empty.jsonl: is empty"):
    task(Blimp, tmp_path / "empty").measure(Model(len), None)


def test_lambada_asks_for_the_last_word(tmp_path):
  place = write(
    tmp_path / "l.jsonl",
    [{"text": "I went\n home"}, {"text": "she said  yes "}, {"passage": "a b"}],
  )
  model = Model(lambda text: -float(len(text)), lambda t: t.endswith("home"))
  found = task(Lambada, place).measure(model, None)
  asked = [("I went\n", " home"), ("she said ", " yes"), ("a", " b")]
  assert model.asked == asked
  assert found.metrics["lambada"] == pytest.approx(1 / 3)
  mean = np.mean([len(a + b) for a, b in asked])
  assert found.metrics["lambada/perplexity"] == pytest.approx(math.exp(mean))
  assert found.items == {"lambada": [1.0, 0.0, 0.0]}
  one = write(tmp_path / "one.jsonl", [{"text": "word"}])
  with pytest.raises(UsageError, match="line 1: one word"):
    task(Lambada, one).measure(model, None)


def test_winogrande_scores_what_follows_the_blank(tmp_path):
  text = "Ann thanked Bea since _ had helped."
  record = {"sentence": text, "option1": "Ann", "option2": "Bea"}
  place = write(
    tmp_path / "w_dev.jsonl",
    [record | {"answer": "2"}, record | {"answer": "1"}],
  )
  model = Model(lambda text: text.count("Bea"))
  found = task(Winogrande, tmp_path / "w").measure(model, None)
  assert model.asked[:2] == [
    ("Ann thanked Bea since Ann", " had helped."),
    ("Ann thanked Bea since Bea", " had helped."),
  ]
  assert found.items == {"winogrande": [1.0, 0.0]}
  assert found.predictions[1]["predicted"] == "Bea"
  del place
  for changes, message in (
    ({"answer": "3"}, "field answer='3': must be one of 1, 2"),
    ({"answer": "1", "sentence": "No blank."}, "has no _"),
    ({}, "no field 'answer' or 'label'"),
  ):
    bad = write(tmp_path / "bad.jsonl", [record | changes])
    with pytest.raises(UsageError, match="line 1") as error:
      task(Winogrande, bad).measure(model, None)
    assert message in str(error.value)


def test_the_published_forms_of_commonsense(tmp_path):
  swag = {
    "activity_label": "Jumping",
    "ctx_a": "A man jumps.",
    "ctx_b": "he",
    "endings": ["lands [substeps] well.", "b", "c", "d"],
    "label": 1,
  }
  write(tmp_path / "h_dev.jsonl", [swag])
  (found,) = Hellaswag().examples(TEST, str(tmp_path / "h"))
  assert found.label == "1"
  assert found.fields["query"] == "Jumping: A man jumps. He"
  assert found.fields["ending0"] == "lands well."

  goals = [{"goal": "open", "sol1": "pull", "sol2": "eat"}] * 2
  write(tmp_path / "dev.jsonl", goals)
  (tmp_path / "dev-labels.lst").write_text("0\n1\n")
  found = Piqa().examples(TEST, str(tmp_path))
  assert [example.label for example in found] == ["0", "1"]
  (tmp_path / "dev-labels.lst").write_text("0\n")
  with pytest.raises(UsageError, match="has 1 labels, and .* 2 examples"):
    Piqa().examples(TEST, str(tmp_path))

  published = {
    "id": "x",
    "question": {
      "stem": "What is wet?",
      "choices": [
        {"text": "sand", "label": "A"},
        {"text": "sea", "label": "B"},
        {"text": "fire", "label": "C"},
      ],
    },
    "answerKey": "B",
  }
  plain = {
    "question": "What is wet?",
    "choices": {"text": ["sand", "sea", "fire"], "label": ["1", "2", "3"]},
    "answerKey": "2",
  }
  of_tfds = plain | {"answerKey": "B"}
  of_tfds["choices"] = {"text": ["sand", "sea", "fire"], "label": [0, 1, 2]}
  write(tmp_path / "a_test.jsonl", [published, plain, of_tfds])
  found = ArcEasy().examples(TEST, str(tmp_path / "a"))
  assert len({repr((e.fields, e.label)) for e in found}) == 1
  assert found[0].label == "1"
  assert found[0].fields["choice1"] == "sea"
  assert found[0].fields["choice3"] == ""

  for record, kind, message in (
    ({k: v for k, v in swag.items() if k != "endings"}, Hellaswag, "'endings'"),
    (swag | {"endings": ["a"]}, Hellaswag, "field endings: must be a list"),
    (swag | {"label": 4}, Hellaswag, "label 4: unknown"),
    ({"question": "x"}, ArcEasy, "'choices'"),
    (plain | {"answerKey": "E"}, ArcEasy, "answerKey='E': is none of A, B, C"),
  ):
    write(tmp_path / "bad_test.jsonl", [record])
    with pytest.raises(UsageError, match="bad_test.jsonl, line 1: ") as error:
      kind().examples(TEST, str(tmp_path / "bad"))
    assert message in str(error.value)


def test_copa_as_published_and_recast(tmp_path):
  own = {"premise": "It fell.", "question": "cause"}
  own |= {"choice1": "It was pushed.", "choice2": "It was dry.", "label": 0}
  write(tmp_path / "own_test.jsonl", [own])
  recast = [
    {"premise": "It fell.", "hypothesis": "It was dry.", "label": 1},
    {"premise": "I ate.", "hypothesis": "I was hungry.", "label": 0},
    {"premise": "It fell.", "hypothesis": "It was pushed.", "label": 0},
    {"premise": "I ate.", "hypothesis": "I was asleep.", "label": 1},
  ]
  write(tmp_path / "re_dev.jsonl", recast)
  (plain,) = Copa().examples(TEST, str(tmp_path / "own"))
  one, two = Copa().examples(TEST, str(tmp_path / "re"))
  assert plain.label == "choice1"
  assert one.label == "choice2"
  assert one.fields["choice1"] == "It was dry."
  assert one.fields["question"] == ""
  assert two.label == "choice1"
  write(tmp_path / "odd_dev.jsonl", recast[:3])
  with pytest.raises(UsageError, match="line 2: its premise must come twice"):
    Copa().examples(TEST, str(tmp_path / "odd"))


def test_numbers_of_wnli_are_those_of_glue(tmp_path):
  rows = [{"sentence1": "a", "sentence2": "b", "label": n} for n in (0, 1)]
  write(tmp_path / "w_test.jsonl", rows)
  found = Wnli().examples(TEST, str(tmp_path / "w"))
  assert [e.label for e in found] == ["not_entailment", "entailment"]
