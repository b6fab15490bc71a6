"""A link in a model's directory leads to no file of the user's."""

import json
import shutil

import foreign_directories
import pytest

from lm_jax.apps.chat import template
from lm_jax.commands import export as export_lib
from lm_jax.generation import defaults
from lm_jax.hugging_face import importing, pretrained, source_files
from lm_jax.inference import load
from lm_jax.support import links
from lm_jax.support.errors import UsageError

SECRET = "root:x:0:0:secret"
FILES = (*source_files.TOKENIZER, *source_files.GENERATION, "config.json")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  path = tmp_path_factory.mktemp("links") / "bert"
  foreign_directories.build("bert", path)
  (path / "chat_template.jinja").write_text("{{ messages[0].content }}")
  return path


def _linked(model, tmp_path, name):
  """A copy of the model in which a file is a link to one of the user's."""
  copy = shutil.copytree(model, tmp_path / "copy")
  secret = tmp_path / "secret"
  if (copy / name).is_file():  # valid, so that the link alone is refused
    shutil.copyfile(copy / name, secret)
  else:
    secret.write_text("{}" if name.endswith(".json") else SECRET)
  (copy / name).unlink(missing_ok=True)
  (copy / name).symlink_to(secret)
  return copy


@pytest.mark.parametrize("name", [*FILES, WEIGHTS[0]])
def test_nothing_is_imported_or_written_by_a_link(model, tmp_path, name):
  copy = _linked(model, tmp_path, name)
  run, to = tmp_path / "run", tmp_path / "to"
  with pytest.raises(UsageError, match="a link that leads outside") as error:
    importing.run(str(copy), str(run), cached=str(tmp_path / "cache"))
  assert name in str(error.value) and "\n" not in str(error.value)
  with pytest.raises(UsageError, match="a link that leads outside"):
    export_lib.main(export_lib.Flags(str(copy), str(to)))
  with pytest.raises(UsageError, match="a link that leads outside"):
    load.load(str(copy))
  assert not run.exists() and not to.exists()


def test_nor_by_that_of_an_index(model, tmp_path):
  copy = _linked(model, tmp_path, WEIGHTS[1])
  (copy / WEIGHTS[0]).unlink()
  with pytest.raises(UsageError, match="a link that leads outside"):
    pretrained.read(str(copy))


@pytest.mark.parametrize(
  "name", ["chat_template.jinja", "tokenizer_config.json", "config.json"]
)
def test_nor_is_a_chat_template_read(model, tmp_path, name):
  copy = _linked(model, tmp_path, name)
  if name == "tokenizer_config.json":
    (copy / "chat_template.jinja").unlink()
  named = () if name == "config.json" else ("",)
  ask = template.find if named else template.variables
  with pytest.raises(UsageError, match="a link that leads outside"):
    ask(str(copy), *(named or (None,)))


def test_nor_one_of_several(model, tmp_path):
  copy = shutil.copytree(model, tmp_path / "copy")
  outside = tmp_path / "outside"
  outside.mkdir()
  (outside / "tools.jinja").write_text(SECRET)
  (copy / "additional_chat_templates").symlink_to(outside)
  with pytest.raises(UsageError, match="a link that leads outside"):
    template.find(str(copy), "tools")


def test_nor_what_it_generates_by(model, tmp_path):
  copy = _linked(model, tmp_path, "generation_config.json")
  with pytest.raises(UsageError, match="a link that leads outside"):
    defaults.from_directory(copy)


def test_nor_in_a_run_that_somebody_sent(model, tmp_path):
  run, secret = tmp_path / "run", tmp_path / "secret"
  secret.write_text(SECRET)
  importing.run(str(model), str(run), cached=str(tmp_path / "cache"))
  kept = run / source_files.FOLDER / "merges.txt"
  kept.symlink_to(secret)
  with pytest.raises(UsageError, match="a link that leads outside"):
    export_lib.main(export_lib.Flags(str(run), str(tmp_path / "to")))
  assert not (tmp_path / "to").exists()


def test_the_cache_of_the_hub_is_read(model, tmp_path):
  """There every file is a link into `blobs`."""
  cache = tmp_path / "models--a--b"
  home, blobs = cache / "snapshots" / "1f2e", cache / "blobs"
  home.mkdir(parents=True)
  blobs.mkdir()
  for number, path in enumerate(sorted(model.iterdir())):
    shutil.copyfile(path, blobs / str(number))
    (home / path.name).symlink_to(f"../../blobs/{number}")
  run, to = tmp_path / "run", tmp_path / "to"
  importing.run(str(home), str(run), cached=str(tmp_path / "cache"))
  export_lib.main(export_lib.Flags(str(run), str(to)))
  assert (to / "vocab.txt").read_bytes() == (model / "vocab.txt").read_bytes()
  assert not (to / "vocab.txt").is_symlink()
  assert template.find(str(home)).text == "{{ messages[0].content }}"
  # But nothing beside `blobs`, and `blobs` may be no link itself.
  (cache / "other").write_text(SECRET)
  (home / "merges.txt").symlink_to("../../other")
  with pytest.raises(UsageError, match="leads outside"):
    pretrained.read(str(home))


def test_links_within_a_directory_are_followed(tmp_path):
  (tmp_path / "sub").mkdir()
  (tmp_path / "sub" / "a.json").write_text(json.dumps({}))
  (tmp_path / "b.json").symlink_to("sub/a.json")
  assert links.inside(tmp_path / "b.json") == tmp_path / "b.json"
