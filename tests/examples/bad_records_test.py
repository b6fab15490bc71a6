"""What is wrong with a record is said, and where it stands."""

import functools

import pytest
from json_lines import write

from lm_jax.examples import (
  conll,
  parallel,
  searches,
  semeval,
  squad,
  text_pairs,
)
from lm_jax.support.errors import UsageError

TRANSLATED = parallel.Place.parse("", (("en", "de"),))
QUESTION = {"context": "In 1687.", "question": "When?"}


def translations(path):
  place = TRANSLATED._replace(path=str(path.parent))
  return parallel.read(place, "--task_data=x", "test", {})


BAD = {
  conll.jsonl: [
    ({"tokens": ["a"]}, "no field 'tags' or 'ner_tags'"),
    ({"tokens": ["a"], "tags": []}, "has 1 tokens and 0 tags"),
    ({"tokens": "a", "tags": ["O"]}, "field tokens='a': must be a list"),
    ({"tokens": [1], "tags": ["O"]}, r"field tokens=\[1\]: must be a list"),
  ],
  translations: [
    ({"en": "a"}, "no field 'de'; it has 'en'"),
    ({"en": "a", "de": 3}, "field de=3: must be text"),
    ({"translation": "a"}, "field translation='a': must be an object"),
  ],
  searches.read_pairs: [
    ({"query": "a"}, "no field 'positive'"),
    ({"query": "a", "positive": []}, r"field positive=\[\]: must hold a text"),
    ({"query": "a", "positive": [1]}, r"field positive=\[1\]: must be texts"),
    (
      {"query": "a", "positive": "b", "negatives": {}},
      "field negatives={}: must be text",
    ),
    ({"positive": "b"}, "no field 'query'"),
  ],
  semeval.records: [
    ({"text": text, "label": "Other"}, ".* must have one <e1>")
    for text in (
      "<e1>a</e1>",
      "<e1>a</e1> <e2>b</e1>",
      "<e1>a</e1> <e1>a</e1> <e2>b</e2>",
      "</e1>a<e1> <e2>b</e2>",
      "<e1>a <e2>b</e2></e1>",
    )
  ],
  squad.jsonl: [
    (QUESTION | {"context": None}, "field context=None: must be text"),
    *(
      (
        QUESTION | {"answers": answers},
        "field answers=.*: must be a list of ob",
      )
      for answers in ("1687", [{"text": "1687"}], {"text": ["a"], "start": []})
    ),
  ],
  text_pairs.summaries: [
    ({"summary": "a"}, "no field 'document' or 'article'"),
    ({"document": "a"}, "no field 'summaries' or 'summary'"),
    ({"document": "a", "summaries": []}, "has no summary"),
    ({"document": "a", "summary": " "}, "has no summary, or an empty"),
    ({"document": 3, "summary": "a"}, "field document=3: must be a text"),
  ],
  functools.partial(text_pairs.replies, language="en"): [
    ({"de": ["Hi !", "Who ?"]}, "no field 'en' or 'dialog'"),
    ({"dialog": "Hi"}, "field en='Hi': must be a list"),
  ],
  text_pairs.triples: [
    ({"text": "t"}, "no field 'triples'"),
    ({"text": "t", "triples": 3}, "field triples=3: must be a list"),
    ({"text": "t", "triples": [["a", "b"]]}, "triple .*: must be a subject"),
    ({"text": "t", "triples": [["a", "", "b"]]}, "triple .*: must be a subj"),
    ({"text": "t", "triples": [{"subject": "a"}]}, "no field 'relation'"),
    ({"text": "t", "label": "Other"}, ".* must have one <e1>"),
  ],
}


@pytest.mark.parametrize(
  ("read", "record", "message"),
  [(read, *case) for read, cases in BAD.items() for case in cases],
)
def test_a_bad_record_is_named(tmp_path, read, record, message):
  path = write(tmp_path / "test.jsonl", [record])
  with pytest.raises(UsageError, match=f"test.jsonl, line 1: {message}"):
    list(read(path))
