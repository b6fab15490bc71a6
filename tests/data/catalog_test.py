import pathlib

import numpy as np
import pytest

from lm_jax.data.corpus import SPLITS, open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.data.text import held_out, text_hash
from lm_jax.support.errors import UsageError


@pytest.fixture(scope="module")
def tfds(tmp_path_factory):
  import tensorflow_datasets as tfds
  from tensorflow_datasets.core import constants

  class TinyTalk(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    code_path = None

    def _info(self):
      return self.dataset_info_from_configs(
        features=tfds.features.FeaturesDict(
          {"said": tfds.features.Text(), "n": np.int64}
        ),
        disable_shuffling=True,
      )

    def _split_generators(self, dl_manager):
      return {
        "train": self._generate_examples(0, 200),
        "test": self._generate_examples(200, 210),
      }

    def _generate_examples(self, first, end):
      for n in range(first, end):
        yield n, {"said": f"Said {n}." if n % 50 else b"caf\xe9", "n": n}

  patch = pytest.MonkeyPatch()
  folder = str(tmp_path_factory.mktemp("tfds"))
  patch.setattr(constants, "DATA_DIR", folder)
  yield tfds
  patch.undo()


def _documents(corpus, split):
  return [d.metadata["n"] for d in corpus.documents(split)]


def test_a_tfds_name_is_a_corpus(tfds):
  options = DataOptions(corpus="tiny_talk", text_key="said", errors="replace")
  corpus = open_corpus(options)
  assert pathlib.Path(tfds.core.constants.DATA_DIR).exists()
  found = {split: _documents(corpus, split) for split in SPLITS}
  # It has a test split; the missing validation split comes from training.
  assert found["test"] == list(range(200, 210))
  assert sorted(found["train"] + found["validation"]) == list(range(200))
  assert 1 <= len(found["validation"]) <= 25
  for n in found["validation"]:
    text = f"Said {n}." if n % 50 else "caf�"
    assert held_out(text_hash(text)) == "validation"
  strict = open_corpus(DataOptions(corpus="tiny_talk", text_key="said"))
  with pytest.raises(UsageError, match=r"train\[0\]: byte 3 \(0xe9\) is not"):
    next(strict.documents("train"))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"corpus": "tiny_talk"}, "text_key=text: no text of tiny_talk.*: said"),
    ({"corpus": "wikipedai"}, "wikipedai: no such .*nearest: wikipedia"),
    ({"corpus": "stu"}, "nearest: sotu"),
    ({"corpus": "x:y"}, "no such"),
    ({"corpus": "wikipedia/20230601.enn"}, r"nearest .*20230601\.en"),
    ({"corpus": "wikipedia/20230601.en"}, "Apache Beam: .*tfds build"),
    ({"corpus": "xsum", "text_key": "document"}, "manual download into"),
  ],
)
def test_what_cannot_be_read_names_the_step(tfds, options, message):
  with pytest.raises(UsageError, match=message) as caught:
    next(open_corpus(DataOptions(**options)).documents("train"))
  assert "\n" not in str(caught.value)


def test_old_style_builders_are_found(tfds):
  corpus = open_corpus(DataOptions(corpus="c4/en"))
  with pytest.raises(UsageError, match=r"c4/en: not prepared .*Apache Beam"):
    next(corpus.documents("train"))
