"""The command `import`: what it refuses, and that nothing is left of that."""

import json
import os
import pickle
import re
import shutil

import foreign_model
import numpy as np
import pytest
from foreign_model import contents, run

import lm_jax
from lm_jax.storage import checkpoint

WEIGHTS = "model.safetensors"
pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def imported(cache, tmp_path_factory):
  """A run of the tiny GPT-2, not to be changed."""
  folder = tmp_path_factory.mktemp("imported")
  foreign_model.build(folder / "theirs")
  assert run("import", folder / "theirs", workdir=folder / "run") == 0
  return folder / "run"


def assert_refused(capsys, folder, message, model, **flags):
  """Exit 2, one line that says so, and nothing on disk is another."""
  before = contents(folder)
  capsys.readouterr()
  flags = {"workdir": folder / "new" / "run"} | flags
  assert run("import", model, **flags) == 2
  out, line = capsys.readouterr()
  assert out == "" and line.count("\n") == 1, line
  assert line.startswith("lm_jax: ")
  assert re.search(message, line), line
  assert contents(folder) == before


# What may be wrong with a configuration: the fields, and what is said.
FIELDS = [
  ({"model_type": "mamba"}, "config.json: model_type=mamba: .*albert.*xlnet"),
  ({"model_type": "gtp2"}, "did you mean gpt2"),
  ({"model_type": ["gpt2"]}, "model_type=.*Valid: .*gpt2"),
  ({"model_type": None}, "model_type=None: unknown. Valid: .*gpt2"),
  ({"n_layer": "2"}, 'config.json: n_layer="2": must be a whole number from 1'),
  ({"n_layer": 0}, "n_layer=0: must be a whole number from 1"),
  ({"n_layer": True}, "n_layer=true: must be a whole number"),
  ({"activation_function": "mish"}, 'function="mish": must be one of gelu'),
  ({"add_cross_attention": True}, "add_cross_attention=true: must be false"),
  ({"architectures": ["GPT2ForDogs"]}, "architectures=.*GPT2LMHeadModel"),
  ({"architectures": "GPT2Model"}, "architectures=.*must be one of"),
  ({"architectures": [["GPT2Model"]]}, "architectures=.*must be one of"),
  (
    {"n_embd": 24},
    r"ln_1.bias|wte.weight has the shape \[68, 16\].*\[68, 24\]",
  ),
  (
    {"n_head": 3},
    "config.json: means --trunk.heads=3: must divide --trunk.width=16",
  ),
  ({"n_layer": 3}, r"transformer.h.2.* \(and 11 more\) is missing"),
  ({"n_layer": 1}, r"transformer.h.1.* \(and 11 more\) is too much"),
  (
    {"vocab_size": 10**12},
    "vocab_size=1000000000000: must be .* to 2147483647",
  ),
  ({"layer_norm_epsilon": -1}, "layer_norm_epsilon=-1: must be a number"),
  # What would be traced layer by layer, or searched, is refused before.
  ({"n_layer": 5000}, "config.json: means 5000 layers, .* has 28 tensors in"),
  ({"n_layer": 10**6}, "n_layer=1000000: must be a whole number from 1 to"),
  ({"n_embd": 2**31 - 1, "n_inner": 8}, "--trunk.heads=2: must divide"),
  ({"eos_token_id": "</s>"}, 'eos_token_id="</s>": must be an id, a whole'),
  ({"bos_token_id": 1.5}, "bos_token_id=1.5: must be an id, a whole number"),
]


@pytest.mark.parametrize(("fields", "message"), FIELDS)
def test_what_a_configuration_may_not_say(fields, message, tmp_path, capsys):
  theirs = tmp_path / "theirs"
  foreign_model.build(theirs)
  path = theirs / "config.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | fields))
  assert_refused(capsys, tmp_path, message, theirs)


def _cut(theirs, tensors):
  path = theirs / WEIGHTS
  path.write_bytes(path.read_bytes()[:-5])


def _boast(theirs, tensors):
  path = theirs / WEIGHTS
  path.write_bytes((1 << 40).to_bytes(8, "little") + path.read_bytes()[8:])


def _only_a_pickle(theirs, tensors):
  (theirs / WEIGHTS).rename(theirs / "pytorch_model.bin")


def _outside(theirs, tensors):
  foreign_model.write(theirs, tensors, 5000)
  path = theirs / f"{WEIGHTS}.index.json"
  index = json.loads(path.read_text())
  index["weight_map"]["transformer.ln_f.bias"] = "../model.safetensors"
  path.write_text(json.dumps(index))


def _without_a_shard(theirs, tensors):
  foreign_model.write(theirs, tensors, 5000)
  min(theirs.glob("model-*")).unlink()


def _other(**changed):
  def write(theirs, tensors):
    tensors = {**tensors, **changed}
    new = {n: x for n, x in tensors.items() if x is not None}
    foreign_model.write(theirs, new)

  return write


def _text(name, text):
  def write(theirs, tensors):
    (theirs / name).write_text(text)

  return write


def _words(count):
  return "".join(
    f"{word}\n"
    for word in [
      *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
      *map(str, range(count - 5)),
    ]
  )


_LN = "transformer.ln_f.bias"
# What may be wrong with the files: how, and what is said.
FILES = [
  (_text("config.json", "{"), "config.json: not JSON"),
  (_text("config.json", "[" * 100_000), "config.json: not JSON"),
  (_text("config.json", "[]"), "config.json: \\[\\]: must be an object"),
  (_text("config.json", "{}"), "config.json: has no model_type"),
  (_text("generation_config.json", "{"), "generation_config.json: not JSON"),
  (_text("tokenizer_config.json", "[]"), "tokenizer_config.json: .*: must be"),
  (lambda d, _: (d / "config.json").unlink(), "config.json: No such file"),
  (lambda d, _: (d / WEIGHTS).unlink(), "has neither model.safetensors nor"),
  (_only_a_pickle, "'pytorch_model.bin'.*not read.*convert it there"),
  (_cut, "model.safetensors: is no whole .* shorter than its header"),
  (_boast, "claims a header of 1099511627776 bytes"),
  (_outside, r"index.json: puts tensor .* in '\.\./model.safetensors'"),
  (_without_a_shard, "the shard 'model-00001-of-.* is missing"),
  (_other(**{_LN: None}), "not those of GPT2LMHeadModel: .*ln_f.bias is miss"),
  (_other(scale=np.ones(3, np.float32)), "scale is too much"),
  (
    _other(**{_LN: np.zeros(5, np.float32)}),
    rf"{_LN} has the shape \[5\], and the configuration means \[16\]",
  ),
  (
    _other(**{_LN: np.zeros(16, np.int8)}),
    f"{_LN} is of int8; valid are float32, float16, bfloat16",
  ),
  (_other(**{_LN: np.zeros(16)}), f"{_LN} is of float64; valid are float32"),
  (
    _other(**{"lm_head.weight": np.ones((68, 16), np.float32)}),
    r"lm_head.weight differs from .*wte.weight.*tie_word_embeddings",
  ),
]


@pytest.mark.parametrize(("spoil", "message"), FILES)
def test_what_is_wrong_with_the_files(spoil, message, tmp_path, capsys):
  theirs = tmp_path / "theirs"
  spoil(theirs, foreign_model.build(theirs))
  assert_refused(capsys, tmp_path, message, theirs)


def test_a_tokenizer_may_not_be_larger_than_the_embedding(tmp_path, capsys):
  theirs, workdir = tmp_path / "theirs", tmp_path / "run"
  foreign_model.build(theirs, "bert")
  # What this kind of tokenizer does not use is copied as it is.
  (theirs / "vocab.json").write_bytes(b"\xff{")
  (theirs / "vocab.txt").write_text(_words(69))
  message = "theirs: its tokenizer has 69 tokens, but the embedding 68 rows"
  assert_refused(capsys, tmp_path, message, theirs)
  (theirs / "vocab.txt").write_text(_words(68))
  assert run("import", theirs, workdir=workdir) == 0
  assert lm_jax.load(workdir).tokenizer.vocabulary_size == 68


def test_what_is_no_directory_of_theirs(imported, finished, tmp_path, capsys):
  for model, message in [
    (tmp_path / "none", "--model=.*none: config.json: No such file"),
    (imported, "is that of a run directory; --model takes a Hugging Face"),
    (finished.workdir, "is that of a run directory"),
    (imported / "config.json", "config.json: Not a directory"),
  ]:
    assert_refused(capsys, tmp_path, message, model)


def test_a_directory_that_is_taken(imported, finished, tmp_path, capsys):
  """By a run, by another model, by a model with other weights, by a file."""
  theirs, other = tmp_path / "theirs", tmp_path / "other"
  foreign_model.build(theirs, n_layer=1)
  tensors = foreign_model.build(other)
  foreign_model.write(other, {n: 2 * x for n, x in tensors.items()})
  for name, source in (("old", imported), ("run", finished.workdir)):
    shutil.copytree(source, tmp_path / name)
  (tmp_path / "file").touch()
  for place in ("mine/hugging_face", "mine/checkpoints/7"):
    (tmp_path / place).mkdir(parents=True)
  (tmp_path / "mine/hugging_face/notes.txt").touch()
  for model, name, message in [
    (other, "run", "run: holds a run of another configuration"),
    (theirs, "old", r"old: holds .* \(trunk.layers: 2 -> 1"),
    (other, "old", "old: was imported from another model.safetensors; name"),
    (theirs, "file", "--workdir=.*file: .*is not a directory"),
    (theirs, "file/run", "--workdir=.*file/run: .*is not a directory"),
    (theirs, "other", "other/config.json: key=.*: unknown"),
    (theirs, "mine", "--workdir=.*mine: is there and not empty, and holds no"),
  ]:
    workdir = tmp_path / name
    assert_refused(capsys, tmp_path, message, model, workdir=workdir)


def test_flags_that_cannot_be(imported, tmp_path, capsys):
  foreign_model.build(tmp_path / "theirs")
  for mesh, message in [
    ("data=3", "--mesh=data=3: takes 3 devices, there are 1"),
    ("rows=1", "--mesh=rows=1: 'rows=1' is not one of data, fsdp, tensor"),
    ("data=x", "--mesh=data=x"),
  ]:
    assert_refused(capsys, tmp_path, message, tmp_path / "theirs", mesh=mesh)


def test_a_second_import_reuses_the_first(imported, capsys):
  before = contents(imported)
  theirs = imported.parent / "theirs"
  assert run("import", theirs, workdir=imported) == 0
  assert "run: was there: GPT2LMHeadModel, 8," in capsys.readouterr().out
  assert contents(imported) == before


def test_the_digest_is_that_of_the_parameters(imported):
  result = json.loads((imported / "result.json").read_text())
  for directory in (imported, imported.parent / "theirs"):
    model = lm_jax.load(directory)
    assert checkpoint.digest(model._params) == result["digest"]


class _Touch:
  """A pickle of it makes a file when it is loaded."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.mkdir, (str(self.path),)


def test_no_code_of_a_directory_is_run_or_named(tmp_path, capsys):
  theirs, ran = tmp_path / "theirs", tmp_path / "ran"
  tokenizer = {"auto_map": {"AutoTokenizer": ["own_code.T", None]}}
  foreign_model.build(
    theirs,
    "bert",
    auto_map={"AutoModel": "own_code.M"},
    custom_pipelines={"x": {"impl": "own_code.P"}},
    trust_remote_code=True,
  )
  (theirs / "vocab.txt").write_text(_words(60))
  tokenizer |= {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
  (theirs / "tokenizer_config.json").write_text(json.dumps(tokenizer))
  code = f"import os; os.mkdir({str(ran)!r})"
  for name in ("own_code", "modeling_bert", "tokenization_bert", "__init__"):
    (theirs / f"{name}.py").write_text(code)
  for name in ("pytorch_model.bin", "training_args.bin", "rng_state.pth"):
    (theirs / name).write_bytes(pickle.dumps(_Touch(ran)))
  workdir, back = tmp_path / "run", tmp_path / "back"
  assert run("import", theirs, workdir=workdir) == 0
  assert run("export", workdir, to=back) == 0
  assert run("export", theirs, to=tmp_path / "straight") == 0
  for directory in (theirs, workdir, back):
    assert lm_jax.load(directory).tokenizer.encode("[CLS] 7") != []
  assert not ran.exists()
  kept = workdir / "hugging_face"
  for directory in (kept, back, tmp_path / "straight"):
    for path in directory.iterdir():
      assert path.suffix in ("", ".json", ".safetensors", ".txt"), path
      assert b"own_code" not in path.read_bytes(), path
  kept = json.loads((back / "tokenizer_config.json").read_text())
  del tokenizer["auto_map"]
  assert kept == tokenizer


def test_a_full_disk_is_known_before(tmp_path, capsys, monkeypatch):
  theirs = tmp_path / "theirs"
  foreign_model.build(theirs)
  usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
  monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
  message = "--workdir=.*run: needs 0.00 GB, and 0.00 GB are free"
  assert_refused(capsys, tmp_path, message, theirs)
