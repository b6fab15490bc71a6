"""Each family trained further here, exported, and read by Transformers."""

import foreign_directories
import foreign_tokenizers as foreign
import harness
import numpy as np
import pytest
from tiny import metrics

import lm_jax
from lm_jax import cli
from lm_jax.runs import yardstick
from lm_jax.tasks.base import Measure

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

# What goes on as another class than the usual one of its family.
CLASSES = {
  "bert": ("BertForPreTraining", "BertModel"),
  "albert": ("AlbertForPreTraining",),
  "electra": ("ElectraForPreTraining",),
  "bart": ("BartForSequenceClassification",),
  "gpt2": ("GPT2DoubleHeadsModel",),
}
CASES = [
  (name, architecture)
  for name in foreign_directories.NAMES
  for architecture in ("", *CLASSES.get(name, ()))
  if name
  != "openai-gpt"  # cannot: see tests/inference/continued_hugging_face_test.py
]


@pytest.fixture(autouse=True)
def _fast(monkeypatch, cache):
  harness.quiet()
  nothing = Measure({}, {})
  monkeypatch.setattr(yardstick.measuring, "evaluate", lambda *_, **__: nothing)


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_it_is_trained_and_exported(name, architecture, tiny, tmp_path):
  theirs, ours, back = (tmp_path / x for x in ("theirs", "ours", "back"))
  foreign_directories.build(name, theirs, architecture)
  argv = [
    *("train", f"--model={theirs}", f"--workdir={ours}"),
    *("--budget=steps:2", "--length=32", "--batch_size=4"),
    *(f"--data.corpus={tiny.corpus}", "--log_every=1"),
  ]
  assert cli.main(argv) == 0
  assert len([x for x in metrics(ours) if "loss" in x]) == 2
  lm, before = lm_jax.load(ours), lm_jax.load(theirs)
  assert cli.main(["export", f"--model={ours}", f"--to={back}"]) == 0
  if (back / "discriminator").is_dir():
    back = back / "discriminator"
  config = transformers.AutoConfig.from_pretrained(back)
  model = harness.whole(getattr(transformers, config.architectures[0]), back)
  tokenizer = transformers.AutoTokenizer.from_pretrained(back)
  first = transformers.AutoTokenizer.from_pretrained(theirs)
  for text in foreign.SENTENCES:
    assert tokenizer.encode(text) == first.encode(text)
  ids = np.array([tokenizer.encode(foreign.SENTENCES[0])])
  given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
  if lm.config.architecture == "encoder_decoder":
    start = np.full_like(ids[:, :1], config.decoder_start_token_id)
    given["decoder_input_ids"] = np.concatenate([start, ids[:, :-1]], axis=1)
  tensors = {key: torch.tensor(x) for key, x in given.items()}
  with torch.no_grad():
    out = model(**tensors)
  logits = out["prediction_logits" if "prediction_logits" in out else "logits"]
  found = lm.logits(**given)
  np.testing.assert_allclose(
    found, logits.reshape(found.shape), atol=harness.LOGITS
  )
  # It has learned something.
  both = [x.hidden(["the fox"])[0] for x in (before, lm)]
  assert np.abs(both[0] - both[1]).max() > 1e-3
