"""The model card of an export, and sentence-transformers' files."""

import dataclasses
import json

import harness
import jax
import numpy as np
import pytest

import lm_jax
from lm_jax.hugging_face import export
from lm_jax.storage.digest import digest

SHAPE = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
METRICS = {"validation_loss": 3.25, "minimal_pairs": 0.625, "odd": None}


def model_of(tiny, folder, objective="mlm", preset="bert", **changes):
  """A model of a run whose files say what it came to."""
  config = tiny.config(
    folder, objective=objective, trunk={"preset": preset} | SHAPE, **changes
  )
  model = harness.untrained(config)
  folder.mkdir(exist_ok=True)
  result = {
    "status": "done",
    "digest": digest(model.params),
    "parameters": 12345,
    "commit": "0123abc+",
    "ledger": {"steps": 6, "flops": 3.5e9, "tokens": 768, "seconds": 1.5},
    "metrics": METRICS,
    "items": {"minimal_pairs": [1, 0, 1, 1, 0, 1, 1, 0]},
  }
  (folder / "result.json").write_text(json.dumps(result))
  return dataclasses.replace(model, source=str(folder))


def parsed(text):
  """Front matter as fields and tags, and what is below it."""
  _, front, body = text.split("---\n", 2)
  fields, _, tags = front.partition("tags:\n")
  pairs = (line.split(": ", 1) for line in fields.splitlines())
  return (
    {name: json.loads(value) for name, value in pairs},
    [json.loads(line.removeprefix("- ")) for line in tags.splitlines()],
    body,
  )


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
  folder = tmp_path_factory.mktemp("card")
  model = model_of(tiny, folder / "run")
  export.save(model, str(folder / "to"))
  return model, folder / "to"


def test_a_card_says_what_was_measured_and_no_more(exported):
  _, to = exported
  fields, tags, body = parsed((to / "README.md").read_text())
  # The corpus is nobody knows whose: neither a language nor a license.
  assert fields == {"library_name": "transformers", "pipeline_tag": "fill-mask"}
  assert {"lm_jax", "bert", "mlm", "sentence-transformers"} <= set(tags)
  assert "| minimal pairs | 62.5 % | 8 |" in body
  assert "| own validation loss | 3.250 |  |" in body
  assert "odd" not in body
  assert "- steps: 6\n" in body and "- FLOPs: 3.50e9\n" in body
  assert "- budget: `steps:6`" in body and "- seed: 0" in body
  assert "- commit of lm_jax: `0123abc+`" in body
  assert f"lm_jax {lm_jax.__version__}" in body
  # No folder of this machine is told.
  assert "- data: `corpus`" in body and str(to.parent) not in body


def test_numbers_of_other_parameters_are_not_told(tiny, tmp_path):
  model = model_of(tiny, tmp_path / "run")
  params = jax.tree.map(lambda leaf: leaf + 1, model.params)
  export.save(dataclasses.replace(model, params=params), str(tmp_path / "to"))
  body = parsed((tmp_path / "to" / "README.md").read_text())[2]
  assert "None were measured" in body
  assert "62.5" not in body and "steps: 6" not in body


def test_the_license_of_a_base_is_kept_and_its_card_is_not_ours(tiny, tmp_path):
  model = model_of(tiny, tmp_path / "run", model="somewhere/base")
  kept = tmp_path / "run" / "hugging_face"
  kept.mkdir()
  (kept / "README.md").write_text("---\nlicense: mit\n---\n# Theirs\n90 %\n")
  export.save(model, str(tmp_path / "to"), "bert")
  fields, _, body = parsed((tmp_path / "to" / "README.md").read_text())
  assert fields["license"] == "mit" and "90 %" not in body


def read(folder, name):
  return json.loads((folder / name).read_text())


def test_sentence_transformers_find_a_pooled_encoder(exported):
  model, to = exported
  modules = read(to, "modules.json")
  assert [x["type"].rpartition(".")[2] for x in modules] == [
    "Transformer",
    "Pooling",
  ]
  pooling = read(to / modules[1]["path"], "config.json")
  assert pooling["word_embedding_dimension"] == 32
  assert [k for k, x in pooling.items() if x is True] == [
    "pooling_mode_mean_tokens",
    "include_prompt",
  ]
  assert read(to, "sentence_bert_config.json")["max_seq_length"] == 32
  # What they compute by these files is what lm.embed of the directory does.
  again = lm_jax.load(str(to))
  texts = ["The law is so.", "We act."]
  found = []
  for text in texts:
    specials = again.tokenizer.specials
    ids = [
      *specials.before, *again.tokenizer.encode(text), *specials.after
    ]  # fmt: skip
    found.append(again.hidden(np.array([ids]))[0].mean(axis=0))
  np.testing.assert_allclose(found, again.embed(texts), atol=1e-5)
  # And neither where there is no encoder.
  assert model.spec.architecture == "encoder"


def test_what_was_trained_to_embed_embeds_the_same(tiny, tmp_path):
  """It has no output, and the texts are laid out as it was trained."""
  model = model_of(
    tiny,
    tmp_path / "run",
    "embed",
    architecture="encoder",
    task="toy",
    objective_options={"pool": "first", "similarity": "dot"},
  )
  assert dict(model.outputs) == {}
  export.save(model, str(tmp_path / "to"), "bert")
  pooling = read(tmp_path / "to" / "1_Pooling", "config.json")
  assert pooling["pooling_mode_cls_token"]
  assert not pooling["pooling_mode_mean_tokens"]
  config = read(tmp_path / "to", "config_sentence_transformers.json")
  assert config["similarity_fn_name"] == "dot"
  again, texts = lm_jax.load(str(tmp_path / "to")), ["The law is so.", "We"]
  found = again.scorer.text_features(texts, "first")
  np.testing.assert_allclose(
    found, lm_jax.LanguageModel(model).embed(texts), atol=1e-6
  )


def test_a_decoder_has_no_such_files(tiny, tmp_path):
  export.save(
    model_of(tiny, tmp_path / "run", "clm", "gpt2"), str(tmp_path / "to")
  )
  assert not list((tmp_path / "to").glob("*sentence*"))
  fields, tags, _ = parsed((tmp_path / "to" / "README.md").read_text())
  assert fields["pipeline_tag"] == "text-generation"
  assert "sentence-transformers" not in tags
