"""A builder of the user's own, made as TFDS teaches, in every way to name it.

What is read is what the builder generates; its code runs only where the
command line names it.
"""

import pathlib
import shutil
import socket
import sys
import threading
import time

import apart
import pytest

from lm_jax.config import Config, overrides
from lm_jax.data import network, own_builders
from lm_jax.data.corpus import SPLITS, open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.evaluation import plan
from lm_jax.finetuning import splits
from lm_jax.support.errors import UsageError

COUNT = 40
CODE = """
import pathlib
import tensorflow_datasets as tfds

pathlib.Path({ran!r}).touch()


class {name}(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {{"1.0.0": "The first."}}

  def _info(self):
    features = tfds.features.FeaturesDict({{"text": tfds.features.Text()}})
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {{"train": self._generate_examples()}}

  def _generate_examples(self):
    for n in range({count}):
      yield n, {{"text": f"Number {{n}} of the news."}}
"""


class Own:
  """A builder's code and TFDS's directory, in a folder of the test."""

  def __init__(self, folder, monkeypatch):
    self.folder, self._patch = folder, monkeypatch
    self.ran, self.data = folder / "RAN", folder / "data"
    from tensorflow_datasets.core import constants

    monkeypatch.setattr(constants, "DATA_DIR", str(self.data))
    monkeypatch.setattr(own_builders, "_allowed", set())

  def write(self, path, name="Builder"):
    path = self.folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    code = CODE.format(ran=str(self.ran), name=name, count=COUNT)
    path.write_text(code)
    return path

  def texts(self, corpus):
    found = open_corpus(DataOptions(corpus=corpus))
    return sorted(d.text for s in SPLITS for d in found.documents(s))

  def named(self, corpus):
    """As the command line gives it."""
    overrides.override(Config(), {"data.corpus": corpus})
    return self.texts(corpus)

  def forget(self, name):
    """As another process finds it: nothing is registered."""
    from tensorflow_datasets.core import registered

    registered._DATASET_REGISTRY.pop(name, None)
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
      del sys.modules[module]
    self.ran.unlink(missing_ok=True)


@pytest.fixture
def own(tmp_path, monkeypatch):
  return Own(tmp_path, monkeypatch)


EXPECTED = sorted(f"Number {n} of the news." for n in range(COUNT))


def test_a_module_on_the_path_and_then_what_it_prepared(own, monkeypatch):
  own.write("mods/own_news/own_news_dataset_builder.py")
  with pytest.raises(UsageError, match="PYTHONPATH"):
    own.named("own_news")
  own_builders._allowed.clear()
  monkeypatch.syspath_prepend(str(own.folder / "mods"))
  with pytest.raises(UsageError, match="no such file, directory or TFDS"):
    own.texts("own_news")  # a configuration's, not the command line's
  assert not own.ran.exists()
  assert own.named("own_news") == EXPECTED
  with pytest.raises(UsageError, match=r"^--data.corpus=own_news:2\.0\.0: "):
    own.named("own_news:2.0.0")
  own.forget("own_news")
  own_builders._allowed.clear()
  for corpus in ("own_news", "own_news:1.0.0", "own_news/1.0.0"):
    assert own.texts(corpus) == EXPECTED
  for place in ("own_news", "own_news/1.0.0"):
    assert own.texts(str(own.data / place)) == EXPECTED
  assert not own.ran.exists()


def test_an_old_style_module(own, monkeypatch):
  own.write("old/own_tales.py", "OwnTales")
  monkeypatch.syspath_prepend(str(own.folder / "old"))
  assert own.named("own_tales") == EXPECTED
  own.forget("own_tales")


@pytest.mark.parametrize("end", ["", "/own_songs_dataset_builder.py"])
def test_the_path_of_its_code(own, end):
  own.write("mods/own_songs/own_songs_dataset_builder.py")
  place = f"{own.folder}/mods/own_songs{end}"
  with pytest.raises(UsageError, match="run only if --data.corpus of the comm"):
    own.texts(place)
  assert not own.ran.exists()
  assert own.named(place) == EXPECTED
  # Once it is prepared a configuration may name it, too.
  own.forget("own_songs")
  own_builders._allowed.clear()
  assert own.texts(place) == EXPECTED
  assert not own.ran.exists()


def test_what_takes_tensorflow_says_so(own, monkeypatch):
  path = own.write("mods/own_odes/own_odes_dataset_builder.py")
  path.write_text("import tensorflow_nowhere\n" + path.read_text())
  monkeypatch.syspath_prepend(str(own.folder / "mods"))
  with pytest.raises(UsageError, match="takes the module tensorflow_nowhere"):
    own.named("own_odes")
  own.write("mods/own_acts/own_acts_dataset_builder.py")
  assert own.named("own_acts") == EXPECTED
  ready = own.data / "own_acts" / "1.0.0"
  there = shutil.copytree(ready, own.folder / "there")
  for file in there.glob("*array_record*"):
    file.rename(str(file).replace("array_record", "tfrecord"))
  info = there / "dataset_info.json"
  info.write_text(info.read_text().replace("array_record", "tfrecord"))
  with pytest.raises(UsageError, match="prepared as tfrecord, which takes Ten"):
    own.texts(str(there))
  own.forget("own_acts")


@pytest.mark.parametrize(
  ("old", "new", "message"),
  [
    ("yield n,", "yield n / 0,", r"_builder.py:21: ZeroDivisionError: div"),
    ("VERSION =", "VERSION = 1 +", r"_builder.py:9: TypeError: unsupported"),
    ("class Builder", "class class", r"_builder.py:8: SyntaxError: invalid"),
    ("_generate_examples(self):", "_others(self):", "abstract"),
    ("import pathlib", "import nosuchpackage", "the module nosuchpackage"),
  ],
)
def test_a_fault_of_its_code_is_a_line(own, monkeypatch, old, new, message):
  """It names the file and the line, by path and by name."""
  path = own.write("tf/my_words/my_words_dataset_builder.py")
  code = path.read_text().replace(old, new)
  assert code != path.read_text()
  path.write_text(code)
  monkeypatch.syspath_prepend(str(path.parents[1]))
  for corpus in (str(path.parent), str(path), "my_words"):
    own.forget("my_words")
    with pytest.raises(UsageError, match=message) as told:
      own.named(corpus)
    assert "\n" not in str(told.value)
  own.forget("my_words")


def test_a_module_that_is_no_builder_is_not_imported(own, monkeypatch):
  (own.folder / "own_module.py").write_text(
    f"import pathlib\npathlib.Path({str(own.ran)!r}).touch()\n"
  )
  monkeypatch.syspath_prepend(str(own.folder))
  for corpus in ("own_module", "huggingface:own_module", "own module"):
    with pytest.raises(UsageError, match="no such file|not prepared in"):
      own.named(corpus)
  assert not own.ran.exists()


def test_several_prepared_data_sets_are_told_apart(own):
  for config in ("a", "b"):
    folder = own.folder / "set" / config / "1.0.0"
    folder.mkdir(parents=True)
    for name in ("dataset_info.json", "features.json"):
      (folder / name).write_text("{}")
  with pytest.raises(UsageError, match=r"holds several: a/1\.0\.0, b/1\.0\.0"):
    own.texts(str(own.folder / "set"))


@pytest.fixture
def no_proxy(monkeypatch):
  for name in ("http_proxy", "https_proxy", "all_proxy"):
    monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_network_it_is_said_at_once(no_proxy, own, monkeypatch):
  from tensorflow_datasets.core.download import downloader

  url = f"http://127.0.0.1:{apart.free_port()}/x.zip"
  start = time.monotonic()
  with (
    network.checked(),
    pytest.raises(OSError, match=r"127\.0\.0\.1 can't be reached: Connection"),
  ):
    downloader._open_url(url)
  # Where nothing answers at all, neither a name nor an address.
  gate = threading.Event()

  def hang(*_):
    gate.wait(9)
    raise OSError("too late")

  monkeypatch.setattr(network, "SECONDS", 0.2)
  monkeypatch.setattr(network.socket, "create_connection", hang)
  with pytest.raises(OSError, match="no answer within"):
    network.require("https://somewhere.invalid/x")
  gate.set()
  assert time.monotonic() < start + 3


def test_a_task_without_a_network_names_local_files(own, monkeypatch, caplog):
  from lm_jax.data.tfds_records import tfds_records

  def refuse(url):
    raise OSError(f"{pathlib.PurePosixPath(url).name} can't be reached")

  monkeypatch.setattr(network, "require", refuse)
  with pytest.raises(UsageError) as raised:
    next(tfds_records("glue/sst2", "train", "--task=sst2"))
  line = str(raised.value)
  assert line.startswith("--task=sst2: its data set glue/sst2: not prepared in")
  assert "SST-2.zip can't be reached" in line and "--task_data" in line
  # The flag is the command's, and TFDS's warnings of its folders are dropped.
  caplog.clear()
  with pytest.raises(UsageError, match="^--task=sst2: its data set"):
    splits.load("sst2", "")
  with pytest.raises(UsageError, match="^--tasks=sst2: its data set"):
    plan._task("sst2").examples("train")
  assert not caplog.records


def test_a_host_that_answers_is_asked_once(no_proxy, monkeypatch):
  from tensorflow_datasets.core.download import downloader

  opened = []
  monkeypatch.setattr(downloader, "_open_url", lambda url: opened.append(url))
  with socket.create_server(("127.0.0.1", 0)) as server:
    url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
    with network.checked():
      downloader._open_url(url)
      server.close()
      downloader._open_url(url)
  assert opened == [url, url]


def test_versions_of_known_names_are_plain(own):
  assert own_builders.plain("lm1b/1.1.0") == "lm1b:1.1.0"
  with pytest.raises(UsageError, match=r"^--data.corpus=lm1b:9\.9\.9: "):
    open_corpus(DataOptions(corpus="lm1b:9.9.9"))
