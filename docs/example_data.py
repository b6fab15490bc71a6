"""Writes small files under the names that README and docs/ use.

Command: python docs/example_data.py [DIRECTORY]

So every command there works as it is printed; put your own files, or the
published ones, in their place. Texts are messages of the embedded corpus;
examples of tasks are made up, a few dozen each: they show formats, and what a
model learns of them tells nothing.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import pathlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

from lm_jax.data import sotu

RECORDS = Iterator[dict[str, Any]]

GOOD = ("moving", "clever", "warm", "brilliant", "charming")
BAD = ("dull", "clumsy", "cold", "tedious", "shallow")
THINGS = ("film", "story", "plot", "cast", "ending", "music")
PEOPLE = ("Ada Lovelace", "Alan Turing", "Emmy Noether", "Kurt Gödel")
PLACES = ("London", "Vienna", "Göttingen", "Princeton")
GERMAN = {"film": "Film", "story": "Geschichte", "plot": "Handlung"}
GERMAN |= {"cast": "Besetzung", "ending": "Schluss", "music": "Musik"}
KINDS = {"DESC": "What is", "HUM": "Who made", "LOC": "Where is"}


def main(directory: str = ".") -> None:
  root = pathlib.Path(directory)
  messages = sotu.read()
  texts = [message["text"] for message in messages]
  _corpora(root, texts)
  _texts(root, texts)
  _searches(root, messages)
  for name, make in TASKS.items():
    for split, seed, count in (
      ("train", 0, 48),
      ("dev", 1, 12),
      ("test", 2, 24),
    ):
      rng = random.Random(f"{name} {seed}")
      _write(root / f"data/{name}/{split}.jsonl", _records(make, rng, count))
  _write(root / "data/blimp.jsonl", _blimp(random.Random(0)))
  held = [m["text"] for m in messages if sotu.split_of(m["year"]) == "test"]
  _write(root / "data/lambada_test.jsonl", _lambada(held))
  _write(root / "data/humaneval.jsonl.gz", _programs())


def _corpora(root: pathlib.Path, texts: list[str]) -> None:
  """books/*.jsonl.gz, news/*.jsonl and crawl/*.parquet."""
  parts = [texts[i : i + 20] for i in range(0, 100, 20)]
  for number, part in enumerate(parts[:2], 1):
    _write(root / f"books/{number}.jsonl.gz", ({"text": t} for t in part))
  for number, part in enumerate(parts[2:4], 1):
    _write(root / f"news/{number}.jsonl", ({"text": t} for t in part))
  if importlib.util.find_spec("pyarrow") is None:
    print("crawl/*.parquet needs pyarrow: pip install 'lm_jax[parquet]'")
    return
  import pyarrow
  import pyarrow.parquet

  (root / "crawl").mkdir(parents=True, exist_ok=True)
  table = pyarrow.table({"content": parts[4]})
  pyarrow.parquet.write_table(table, root / "crawl/1.parquet")


def _texts(root: pathlib.Path, texts: list[str]) -> None:
  """Files of single texts, and of conversations."""
  report = " ".join(" ".join(texts[0].split())[:400].split(" ")[:-1])
  (root / "report.txt").write_text(report + "\n")
  news = "Ada Lovelace was born in London. Kurt Gödel moved to Vienna.\n"
  (root / "news.txt").write_text(news)
  asked = ("What is the state of the Union?", "Who was born in London?")
  (root / "questions.txt").write_text("".join(f"{q}\n" for q in asked))
  _write(
    root / "questions.jsonl",
    ({"id": f"q{i}", "text": q} for i, q in enumerate(asked)),
  )
  talk = [
    {"role": "user", "content": "Good day."},
    {"role": "assistant", "content": "Good day to you."},
  ]
  (root / "talk.json").write_text(json.dumps({"messages": talk}) + "\n")


def _searches(root: pathlib.Path, messages: list[dict[str, Any]]) -> None:
  """A collection of passages: who said it, and when, is the query."""
  chosen = messages[::6]
  documents = [
    {
      "id": message["id"],
      "title": f"{message['president']}, {message['year']}",
      "text": " ".join(message["text"].split()[:60]),
    }
    for message in chosen
  ]
  queries = [
    {"id": f"q{i}", "text": " ".join(d["text"].split()[10:18])}
    for i, d in enumerate(documents)
  ]
  relevant = [
    {"query": q["id"], "doc": d["id"], "rel": 1}
    for q, d in zip(queries, documents, strict=True)
  ]
  for name in ("cranfield", "wiki"):
    for kind, found in (
      ("docs", documents),
      ("queries", queries),
      ("qrels", relevant),
    ):
      _write(root / f"data/{name}/{kind}.jsonl", iter(found))


def _sst2(rng: random.Random) -> dict[str, Any]:
  words = rng.choice((BAD, GOOD))
  text = f"the {rng.choice(THINGS)} is {rng.choice(words)} and {words[0]} ."
  return {"sentence": text, "label": int(words is GOOD)}


def _pair(rng: random.Random, labels: tuple[str, ...]) -> dict[str, Any]:
  """A premise, and what follows from it, contradicts it, or neither."""
  thing, other = rng.sample(THINGS, 2)
  good, bad = rng.choice(GOOD), rng.choice(BAD)
  said = (f"The {thing} is {good}.", f"The {thing} is {bad}.")
  label = rng.choice(labels)
  hypothesis = {"entailment": said[0], "contradiction": said[1]}.get(
    label, f"The {other} is {bad}."
  )
  premise = f"We saw that the {thing} is {good} and long."
  return {"premise": premise, "hypothesis": hypothesis, "label": label}


def _rte(rng: random.Random) -> dict[str, Any]:
  return _pair(rng, ("entailment", "not_entailment"))


def _mnli(rng: random.Random) -> dict[str, Any]:
  return _pair(rng, ("entailment", "neutral", "contradiction"))


def _ocnli(rng: random.Random) -> dict[str, Any]:
  one, two = rng.sample(("下雨", "下雪", "刮风", "出太阳"), 2)
  words = {"sentence1": f"今天{one}。", "sentence2": f"今天{two}。"}
  return words | {"label": rng.choice(("entailment", "contradiction"))}


def _trec(rng: random.Random) -> dict[str, Any]:
  label = rng.choice(list(KINDS))
  text = f"{KINDS[label]} the {rng.choice(THINGS)} of {rng.choice(PLACES)} ?"
  return {"text": text, "label": label}


def _copa(rng: random.Random) -> dict[str, Any]:
  thing, right = rng.choice(THINGS), rng.randrange(2)
  choices = [f"They left the {thing}.", f"They praised the {thing}."]
  words = (BAD, GOOD)[right]
  return {
    "premise": f"The {thing} was {rng.choice(words)}.",
    "question": "effect",
    "choice1": choices[0],
    "choice2": choices[1],
    "label": right,
  }


def _race(rng: random.Random) -> dict[str, Any]:
  """A passage with one question, whose answer stands in it."""
  who, options = rng.choice(PEOPLE), rng.sample(list(PLACES), 4)
  right = rng.randrange(4)
  return {
    "id": f"high{rng.randrange(10**6)}.txt",
    "article": f"{who} lived in {options[right]}.",
    "questions": [f"{who} lived in _ ."],
    "options": [options],
    "answers": ["ABCD"[right]],
  }


def _gsm8k(rng: random.Random) -> dict[str, Any]:
  one, two = rng.randrange(2, 30), rng.randrange(2, 30)
  return {
    "question": f"Ada has {one} books and buys {two}. How many has she?",
    "answer": f"She has {one} + {two} = {one + two} books.\n#### {one + two}",
  }


def _hellaswag(rng: random.Random) -> dict[str, Any]:
  thing, label = rng.choice(THINGS), rng.randrange(4)
  endings = [f"eats {number} stones." for number in range(4)]
  endings[label] = f"praises the {thing}."
  return {
    "activity_label": "Watching",
    "ctx": f"A man watches the {thing} and",
    "endings": endings,
    "label": label,
  }


def _piqa(rng: random.Random) -> dict[str, Any]:
  label, thing = rng.randrange(2), rng.choice(THINGS)
  ways = [f"Sit down and watch the {thing}.", f"Boil the {thing} in water."]
  return {
    "goal": f"How to enjoy the {thing}?",
    "sol1": ways[label],
    "sol2": ways[1 - label],
    "label": label,
  }


def _arc_easy(rng: random.Random) -> dict[str, Any]:
  letter = rng.randrange(3)
  texts = ["a stone", "a cloud", "a spoon"]
  texts[letter] = "a fish"
  return {
    "question": "Which of these swims?",
    "choices": {"text": texts, "label": ["A", "B", "C"]},
    "answerKey": "ABC"[letter],
  }


def _ner(rng: random.Random) -> dict[str, Any]:
  who, where = rng.choice(PEOPLE).split(), rng.choice(PLACES)
  tokens = [*who, "was", "seen", "in", where, "."]
  tags = ["B-person", "I-person", "O", "O", "O", "B-location", "O"]
  return {"tokens": tokens, "tags": tags}


def _squad(rng: random.Random) -> dict[str, Any]:
  who, where = rng.choice(PEOPLE), rng.choice(PLACES)
  context = f"{who} was seen in {where} in the spring."
  answer = {"text": where, "start": context.index(where)}
  return {
    "context": context,
    "question": f"Where was {who} seen?",
    "answers": [answer],
  }


def _multi30k(rng: random.Random) -> dict[str, Any]:
  thing, number = rng.choice(THINGS), rng.randrange(2, 99)
  return {
    "en": f"{thing} number {number}",
    "de": f"{GERMAN[thing]} Nummer {number}",
  }


def _triples(rng: random.Random) -> dict[str, Any]:
  who, where = rng.choice(PEOPLE), rng.choice(PLACES)
  triple = [who, "lived-in", where]
  return {"text": f"{who} lived in {where} .", "triples": [triple]}


def _relations(rng: random.Random) -> dict[str, Any]:
  who, where = rng.choice(PEOPLE), rng.choice(PLACES)
  label = rng.choice(("Entity-Destination(e1,e2)", "Other"))
  verb = "moved to" if label != "Other" else "heard of"
  return {"text": f"<e1>{who}</e1> {verb} <e2>{where}</e2> .", "label": label}


TASKS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
  "sst2": _sst2,
  "ocnli": _ocnli,
  "rte": _rte,
  "mnli": _mnli,
  "trec": _trec,
  "copa": _copa,
  "gsm8k": _gsm8k,
  "hellaswag": _hellaswag,
  "piqa": _piqa,
  "arc_easy": _arc_easy,
  "ner_wnut17": _ner,
  "qa_subjqa": _squad,
  "squad": _squad,
  "mt_multi30k": _multi30k,
  "triples": _triples,
  "relations": _relations,
  "race": _race,
}


def _records(
  make: Callable[[random.Random], dict[str, Any]],
  rng: random.Random,
  count: int,
) -> RECORDS:
  for number in range(count):
    yield {"id": str(number)} | make(rng)


def _blimp(rng: random.Random) -> RECORDS:
  """Agreement in two paradigms."""
  for number in range(60):
    thing, word = rng.choice(THINGS), rng.choice(GOOD)
    for uid, good, bad in (
      (
        "regular_plural",
        f"The {thing}s are {word}.",
        f"The {thing}s is {word}.",
      ),
      ("singular", f"This {thing} is {word}.", f"These {thing} is {word}."),
    ):
      fields = {"field": "morphology", "term": "agreement", "UID": uid}
      own = {"pair_id": str(number), "good": good, "bad": bad}
      yield fields | own


def _lambada(texts: list[str]) -> RECORDS:
  """Passages of 40 words, whose last is to be told."""
  for text in texts:
    for start in range(100, 500, 80):
      yield {"text": " ".join(text.split()[start : start + 40]).rstrip(".,;")}


def _programs() -> RECORDS:
  for number in range(1, 4):
    prompt = f'def add(x):\n  """Returns x + {number}."""\n'
    test = f"def check(f):\n  assert f(1) == {number + 1}\n"
    yield {
      "task_id": f"Example/{number}",
      "prompt": prompt,
      "test": test,
      "entry_point": "add",
    }


def _write(path: pathlib.Path, records: RECORDS) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  opener = gzip.open if path.suffix == ".gz" else open
  with opener(path, "wt", encoding="utf-8") as file:
    for record in records:
      file.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
  main(*sys.argv[1:])
