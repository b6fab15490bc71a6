"""Data sets of TFDS's Hugging Face namespace: prepared ones, and a line."""

import importlib.util

import pytest
from tensorflow_datasets.core import constants

from lm_jax.data import catalog, network
from lm_jax.support.errors import UsageError
from lm_jax.tasks.ocnli import Ocnli


@pytest.fixture
def stored(tmp_path, monkeypatch):
  """A directory of TFDS with OCNLI as TFDS stores it of Hugging Face."""
  import tensorflow_datasets as tfds

  class Stored(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    name = "clue__clue"
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="ocnli"),)
    code_path = None

    def _info(self):
      names = ["neutral", "entailment", "contradiction"]
      return self.dataset_info_from_configs(
        features=tfds.features.FeaturesDict(
          {
            "sentence1": tfds.features.Text(),
            "sentence2": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=names),
          }
        ),
        disable_shuffling=True,
      )

    def _split_generators(self, dl_manager):
      return {
        "train": self._generate_examples([1, -1, 2]),
        "validation": self._generate_examples([0]),
      }

    def _generate_examples(self, labels):
      for i, label in enumerate(labels):
        yield i, {"sentence1": f"前提{i}", "sentence2": "假设", "label": label}

  monkeypatch.setattr(constants, "DATA_DIR", str(tmp_path))
  builder = Stored(
    data_dir=str(tmp_path), config="ocnli", file_format="array_record"
  )
  with catalog.quiet():
    builder.download_and_prepare()


def test_a_prepared_one_is_read_without_a_network(stored, monkeypatch):
  def fail(url):
    raise AssertionError(url)

  monkeypatch.setattr(network, "require", fail)
  train = Ocnli().examples("train")
  assert [(x.fields["premise"], x.label) for x in train] == [
    ("前提0", "entailment"),
    ("前提2", "contradiction"),
  ]
  assert [x.label for x in Ocnli().examples("test")] == ["neutral"]


def test_without_a_network_it_is_one_line(tmp_path, monkeypatch):
  def refuse(url):
    raise OSError("huggingface.co can't be reached")

  pytest.importorskip("datasets")
  monkeypatch.setattr(constants, "DATA_DIR", str(tmp_path))
  monkeypatch.setattr(network, "require", refuse)
  message = (
    "--tasks=ocnli: its data set huggingface:clue__clue/ocnli: not prepared .*"
    "huggingface.co can't be reached; or name local files by --task_data"
  )
  with pytest.raises(UsageError, match=message):
    Ocnli().examples("train")


def test_without_its_library_it_is_one_line(tmp_path, monkeypatch):
  monkeypatch.setattr(constants, "DATA_DIR", str(tmp_path))
  monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
  message = "not prepared in a directory of TFDS, .* takes the package datasets"
  with pytest.raises(UsageError, match=message):
    Ocnli().examples("train")
