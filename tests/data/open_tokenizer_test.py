import json

from lm_jax import config
from lm_jax.data.corpus import Corpus, Document
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.support import cache

_TEXTS = ["It's 12 o'clock, and all is well.\n\nSo they said: yes! " * 8]
_HINDI = ["किताब मेज़ पर है। " * 9, "बच्चे किताबें पढ़ते हैं। " * 9]


def _load(folder, kind="bpe", texts=_TEXTS, **options):
  documents = [Document(text, {}) for text in texts]
  corpus = Corpus("tiny", texts[0][:9], lambda split: iter(documents))
  options |= {"tokenizer": kind, "cache": str(folder), "sentinels": 5}
  return load_tokenizer(DataOptions(**options), corpus)


def test_a_vocabulary_that_comes_out_smaller_is_told(tmp_path, caplog):
  tokenizer = _load(tmp_path, "bpe", vocabulary_size=9000)
  line = f"vocabulary_size=9000: the vocabulary has {len(tokenizer)} tokens"
  assert line in caplog.text
  caplog.clear()
  _load(tmp_path, "bpe", vocabulary_size=300)
  _load(tmp_path, "bytes", vocabulary_size=9000)
  assert not caplog.text


def test_a_run_of_before_has_its_tokenizer_under_its_old_name(tmp_path):
  loaded = {
    version: _load(
      tmp_path, texts=_HINDI, vocabulary_size=400, tokenizer_version=version
    )
    for version in ("1", "2", "")
  }
  before = cache.key("tokenizer 1", "bpe", 400, _HINDI[0][:9], 5)
  assert loaded["1"].path.parent.name == before
  assert loaded[""].path == loaded["2"].path != loaded["1"].path
  assert loaded["1"].fingerprint != loaded["2"].fingerprint
  # What a configuration of before says nothing of was done by 1.
  tree = json.loads(config.to_json(config.Config()))
  del tree["data"]["tokenizer_version"]
  read = config.from_json(json.dumps(tree))
  assert read.data.tokenizer_version == "1"
