"""Documents in a prompt, cut where they do not fit."""

import dataclasses

import pytest

from lm_jax.apps import answering
from lm_jax.apps.answering.prompted import PromptReader
from lm_jax.apps.chat import tools
from lm_jax.examples.collection import Document
from lm_jax.generation import prompts
from lm_jax.generation.options import Generation
from lm_jax.generation.text_stream import Generated
from lm_jax.inference import load
from lm_jax.support.errors import UsageError

DOCUMENTS = [Document("a", "Tax", "New acts."), Document("b", "", "We act. ")]


@pytest.fixture(scope="module")
def model(finished):
  return load.load(finished.workdir)


def test_an_answer_is_written(model, tmp_path):
  """In a context of 32 tokens, which the documents alone would fill."""
  short = tmp_path / "short.jinja"
  short.write_text(
    '+++\ndescription = "short"\nfields = ["text", "question"]\n+++\n'
    "{{ text }} {{ question }}"
  )
  reader = PromptReader(model, str(short), Generation(max_new_tokens=2))
  found = reader.answer("What is new?", DOCUMENTS)
  assert reader.cut == 1
  assert found.document == "" and found.score < 0


def test_what_fits_is_read_the_best_first(model, monkeypatch):
  seen = []

  def run(tool, generator, texts, options):
    seen.extend(tool.render(texts))
    return [Generated(0, "acts", [], -1.5, "end")]

  monkeypatch.setattr(tools.Tool, "run", run)
  monkeypatch.setattr(prompts, "context", lambda model: 0)
  reader = PromptReader(model, "answer", Generation(max_new_tokens=2))
  found = reader.answer("What is new?", DOCUMENTS)
  assert found == ("acts", "", -1.5)
  (prompt,) = seen
  assert "\n\nTax New acts.\n\nWe act.\n\nQuestion: What is new?" in prompt
  assert reader.cut == 0
  # With room for a few characters of the documents only.
  tokenizer = model.tokenizer
  empty = len(tokenizer.encode(prompt)) - len("Tax New acts.\n\nWe act.")
  room = empty + 2 + 1 + 7
  monkeypatch.setattr(prompts, "context", lambda model: room)
  reader.answer("What is new?", DOCUMENTS)
  assert "below.\n\nTax New\n\nQuestion: What is new?" in seen[-1]
  assert reader.cut == 1


def test_templates_and_models_that_cannot(model):
  with pytest.raises(UsageError, match="=summarise: has no field question"):
    PromptReader(model, "summarise")
  masked = dataclasses.replace(
    model,
    spec=dataclasses.replace(model.spec, architecture="encoder"),
    name="--reader=x",
  )
  with pytest.raises(UsageError, match="--reader=x"):
    answering.reader(masked, "answer")
