"""The command `export`, and what comes back of what was imported."""

import dataclasses
import functools
import json
import re

import foreign_model
import harness
import ml_dtypes
import numpy as np
import pytest
from foreign_model import contents, run
from tiny import pretrain

import lm_jax
from lm_jax.data.options import DataOptions
from lm_jax.hugging_face import export, pretrained
from lm_jax.support.errors import UsageError

pytestmark = pytest.mark.usefixtures("cache")
# What is easily lost on the way through float32: the least and the largest
# number, a negative zero, an infinity.
_ODD = {
  "float32": [1e-45, -3.4e38, -0.0, np.inf],
  "float16": [6e-8, -65504, -0.0, np.inf],
  "bfloat16": [9.2e-41, -3.38e38, -0.0, np.inf],
}


def there_and_back(theirs, folder, **flags):
  """By way of a run, and straight: both directories are to be equal."""
  assert run("import", theirs, workdir=folder / "run") == 0
  assert run("export", folder / "run", to=folder / "back", **flags) == 0
  assert run("export", theirs, to=folder / "straight", **flags) == 0
  assert contents(folder / "back") == contents(folder / "straight")
  return folder / "back"


def as_dtype(tensors, dtype):
  found = {name: x.astype(dtype) for name, x in tensors.items()}
  first = min(found)
  found[first].reshape(-1)[:4] = _ODD[dtype]
  return found


def mixed(tensors):
  names = list(_ODD)
  return {
    name: as_dtype({name: x}, names[i % 3])[name]
    for i, (name, x) in enumerate(tensors.items())
  }


@pytest.mark.parametrize("kind", [*_ODD, "mixed"])
@pytest.mark.parametrize("name", foreign_model.CONFIGS)
def test_what_was_imported_comes_back(name, kind, tmp_path):
  """Every byte of the tensors, in whichever files, and of config.json."""
  theirs = tmp_path / "theirs"
  fields = {"torch_dtype": kind, "transformers_version": "4.9", "own": [1, {}]}
  tensors = foreign_model.build(theirs, name, **fields)
  tensors = mixed(tensors) if kind == "mixed" else as_dtype(tensors, kind)
  foreign_model.write(theirs, tensors, 5000)
  assert len(list(theirs.glob("model-*"))) > 1
  back = there_and_back(theirs, tmp_path)
  assert foreign_model.stored(back) == foreign_model.stored(theirs)
  old, new = (
    json.loads((x / "config.json").read_text()) for x in (theirs, back)
  )
  assert list(old.items()) == list(new.items())
  assert {x.name for x in back.iterdir()} == {
    "config.json",
    "model.safetensors",
  }


def test_names_of_old_files_and_copies_come_back(tmp_path):
  """Without the prefix, and with the table of tokens twice."""
  theirs = tmp_path / "theirs"
  tensors = foreign_model.build(theirs)
  short = {n.removeprefix("transformer."): x for n, x in tensors.items()}
  short["lm_head.weight"] = short["wte.weight"]
  mask = {"h.0.attn.bias": np.ones((1, 1, 32, 32), np.float32)}
  # What holds none of our parameters comes back, too.
  foreign_model.write(theirs, short | mask)
  back = there_and_back(theirs, tmp_path)
  assert foreign_model.stored(back) == foreign_model.stored(theirs)


def test_a_bias_that_has_no_effect_comes_back(tmp_path):
  """Untied, BERT's file has its bias twice, and only one of them counts."""
  theirs = tmp_path / "theirs"
  tensors = foreign_model.build(theirs, "bert", tie_word_embeddings=False)
  twice = {
    "cls.predictions.bias": np.ones(68, np.float32),
    "bert.embeddings.position_ids": np.arange(32)[None],
  }
  foreign_model.write(theirs, tensors | twice)
  back = there_and_back(theirs, tmp_path)
  assert foreign_model.stored(back) == foreign_model.stored(theirs)
  # Once it was trained, Transformers gets what it asks for.
  lm = lm_jax.load(theirs)
  lm.trained = dataclasses.replace(lm.trained, source="")
  lm.save_pretrained(tmp_path / "new", "bert")
  new = foreign_model.stored(tmp_path / "new")
  assert new.keys() == {*tensors, "cls.predictions.bias"}
  bias = tensors["cls.predictions.decoder.bias"]
  assert new["cls.predictions.bias"]["data"] == bias.tobytes()


def test_numbers_that_a_dtype_lacks_are_named(tmp_path, capsys):
  theirs = tmp_path / "theirs"
  tensors = foreign_model.build(theirs)
  tensors["transformer.ln_f.bias"][3] = 1e5
  foreign_model.write(theirs, tensors)
  assert run("export", theirs, to=tmp_path / "back", dtype="float16") == 2
  said = capsys.readouterr().err
  assert "--dtype=float16: ln_f.bias has numbers above 65504" in said
  assert not (tmp_path / "back").exists()


def test_the_files_beside_the_weights_come_back(tmp_path):
  theirs = tmp_path / "theirs"
  foreign_model.build(theirs, "bert")
  words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
  files = {
    "vocab.txt": "\n".join(words) + "\n",
    "tokenizer_config.json": '{ "do_lower_case":false }',
    "generation_config.json": '{"max_length": 7,\n"x": "é"}',
  }
  for name, text in files.items():
    (theirs / name).write_text(text)
  files |= {
    "README.md": "---\nlicense: mit\n---\n# Theirs\n",
    "1_Pooling/config.json": '{"pooling_mode_cls_token": true}',
    "modules.json": "[]",
  }
  (theirs / "1_Pooling").mkdir()
  for name in ("README.md", "1_Pooling/config.json", "modules.json"):
    (theirs / name).write_text(files[name])
  back = there_and_back(theirs, tmp_path)
  for name, text in files.items():
    assert (back / name).read_text() == text
  # As another family it has a tokenizer that says the same.
  other = tmp_path / "other"
  assert run("export", tmp_path / "run", to=other, family="bert") == 0
  assert (other / "vocab.txt").exists()


def test_a_dtype_may_be_asked_for(tmp_path):
  theirs = tmp_path / "theirs"
  tensors = foreign_model.build(theirs, torch_dtype="float32")
  back = there_and_back(theirs, tmp_path, dtype="bfloat16")
  found = foreign_model.stored(back)
  for name, x in tensors.items():
    expected = x.astype(ml_dtypes.bfloat16)
    assert found[name]["dtype"] == "BF16"
    assert found[name]["data"] == expected.tobytes()
  config = json.loads((back / "config.json").read_text())
  assert config["dtype"] == "bfloat16" and "torch_dtype" not in config


def test_loaded_models_are_equal_and_can_be_saved(tmp_path):
  """From their directory, from a run on it, and from what they save."""
  theirs = tmp_path / "theirs"
  foreign_model.build(theirs)
  assert run("import", theirs, workdir=tmp_path / "run") == 0
  ids = np.arange(12).reshape(2, 6)
  logits = lm_jax.load(theirs).logits(ids)
  for directory in (theirs, tmp_path / "run"):
    model = lm_jax.load(directory)
    np.testing.assert_array_equal(model.logits(ids), logits)
    to = tmp_path / f"from_{directory.name}"
    assert model.save_pretrained(to) == [str(to)]
    assert foreign_model.stored(to) == foreign_model.stored(theirs)
    np.testing.assert_array_equal(lm_jax.load(to).logits(ids), logits)


def test_a_head_keeps_its_size_and_its_mathematics(tmp_path):
  theirs = tmp_path / "theirs"
  foreign_model.build(
    theirs,
    "bert",
    architectures=["BertForSequenceClassification"],
    id2label={str(i): str(i) for i in range(5)},
  )
  lm = lm_jax.load(theirs)
  ids = np.arange(12).reshape(2, 6)
  # As if nothing were known of where it comes from.
  model = dataclasses.replace(lm.trained, source="")
  export.save(model, str(tmp_path / "bert"), "bert")
  again = lm_jax.load(tmp_path / "bert")
  np.testing.assert_array_equal(again.logits(ids), lm.logits(ids))
  assert again.logits(ids).shape == (2, 5)
  # ELECTRA's has another activation.
  with pytest.raises(UsageError, match="its head classification is .*gelu"):
    export.save(model, str(tmp_path / "electra"), "electra")
  assert not list(tmp_path.glob("*electra*"))


def test_evaluate_takes_their_directory(tiny, tmp_path, capsys, monkeypatch):
  """A run of ours, exported: its tokenizer has bytes for tokens."""
  shape = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
  config = tiny.config(
    tmp_path / "run", trunk={"preset": "gpt2"} | shape, budget="steps:2"
  )
  assert pretrain(config)["status"] == "done"
  to = tmp_path / "theirs"
  assert run("export", config.workdir, to=to) == 0
  # On the small corpus, not on the one that is the default.
  small = functools.partial(DataOptions, corpus=str(tiny.corpus))
  monkeypatch.setattr(pretrained, "DataOptions", small)
  capsys.readouterr()
  assert run("evaluate", to, tasks="bits_per_byte", format="json") == 0
  [row] = json.loads(capsys.readouterr().out)["results"]
  assert row["metric"] == "bits_per_byte" and 5 < row["value"] < 9


def test_what_cannot_be_written_leaves_nothing(finished, tmp_path, capsys):
  theirs, run_ = tmp_path / "theirs", tmp_path / "run"
  foreign_model.build(theirs)
  assert run("import", theirs, workdir=run_) == 0
  (tmp_path / "full").mkdir()
  (tmp_path / "full" / "x").touch()
  (tmp_path / "file").touch()
  new = tmp_path / "new"
  before = contents(tmp_path)
  capsys.readouterr()
  for model, flags, message in [
    (run_, {"to": tmp_path / "full"}, "--to=.*full: is there and not empty"),
    (run_, {"to": theirs}, "--to=.*theirs: is there and not empty"),
    (run_, {"to": tmp_path / "file"}, "--to=.*file: .*is not a directory"),
    (run_, {"to": tmp_path / "file" / "x"}, "--to=.*is not a directory"),
    (run_, {"to": "/proc/x"}, "--to=/proc/x: can't be written"),
    (run_, {"to": new, "family": "gtp2"}, "--family=gtp2.*did you mean gpt2"),
    (run_, {"to": new, "family": "bert"}, "BERT does not fit: --architect"),
    (run_, {"to": new, "dtype": "f16"}, "--dtype=f16: unknown.*Valid: float32"),
    (run_, {}, "--to: needed"),
    (tmp_path / "no", {"to": new}, "--model=.*no: not a run directory"),
    (finished.workdir, {"to": new}, "GPT-2 does not fit: .*--trunk"),
  ]:
    assert run("export", model, **flags) == 2
    out, line = capsys.readouterr()
    assert out == "" and line.count("\n") == 1, line
    assert re.search(message, line), line
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
  ("preset", "architecture"),
  [("roberta", "RobertaForMaskedLM"), ("bert", "BertForMaskedLM")],
)
def test_a_run_is_written_as_its_preset(tiny, preset, architecture):
  """What it was trained as, where no family is named."""
  shape = {"layers": 2, "width": 32, "heads": 2, "feedforward": 48}
  trunk = {"preset": preset, **shape}
  config = tiny.config(objective="mlm", trunk=trunk)
  [part] = export.parts_of(harness.untrained(config), "")
  assert part.model.architecture == architecture
