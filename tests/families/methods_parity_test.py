"""All methods of a model that is loaded, against PyTorch Transformers."""

import types

import foreign_directories
import foreign_tokenizers as foreign
import harness
import numpy as np
import pytest

import lm_jax
from lm_jax.support.errors import UsageError

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

TEXTS = [
  foreign.SENTENCES[0],
  "language models learn, don't you know?",
  "the fox",
]


@pytest.fixture(scope="module", params=foreign_directories.NAMES)
def both(request, tmp_path_factory, cache):
  """A directory, read by both."""
  harness.quiet()
  name = request.param
  directory = tmp_path_factory.mktemp("both") / "theirs"
  foreign_directories.build(name, directory)
  found = types.SimpleNamespace(name=name, directory=directory)
  found.lm = lm_jax.load(directory)
  found.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
  if found.tokenizer.pad_token is None:  # as a user does
    first = found.tokenizer.convert_ids_to_tokens(0)
    found.tokenizer.pad_token = found.tokenizer.eos_token or first
  architecture = found.lm.config.architecture
  found.paired = architecture == "encoder_decoder"
  found.causal = architecture == "causal_decoder"
  kind = foreign.DIRECTORIES.get(name, (name,))[0]
  found.cls = getattr(transformers, foreign_directories.MODELS[kind][0])
  found.model = harness.whole(found.cls, directory)
  found.base = transformers.AutoModel.from_pretrained(
    directory, attn_implementation="eager"
  )
  return found


def tensors(given):
  return {name: torch.tensor(x) for name, x in given.items()}


def ids_of(both, text):
  """A text as the model reads it."""
  specials = both.lm.tokenizer.specials
  ids = both.lm.tokenizer.encode(text)
  return [*specials.before, *ids, *specials.after]


def shifted(both, ids, mask):
  """What Transformers' decoder reads of a text if it is told nothing."""
  first = both.model.config.decoder_start_token_id
  found = np.roll(ids, 1, axis=1)
  found[:, 0] = first
  if both.name.startswith("mbart"):
    found[:, 0] = ids[np.arange(len(ids)), mask.sum(1) - 1]
  return found


def close(ours, theirs):
  theirs = np.asarray(theirs)
  assert ours.shape == theirs.shape
  assert np.std(theirs) > 0.05
  np.testing.assert_allclose(ours, theirs, atol=harness.LOGITS)


def test_ids(both):
  tokenizer = both.lm.tokenizer
  for text in [*TEXTS, *foreign.SENTENCES, "", " \u00e9 \t 12"]:
    ids = tokenizer.encode(text)
    assert ids == both.tokenizer.encode(text, add_special_tokens=False)
    if not both.causal:  # theirs put nothing around a text, but for LLaMA's
      assert ids_of(both, text) == both.tokenizer.encode(text)


def test_logits_of_a_batch(both):
  batch = dict(both.tokenizer(TEXTS, padding=True, return_tensors="np"))
  mask = batch["attention_mask"]
  valid = mask > 0
  if both.paired:
    batch["decoder_input_ids"] = shifted(both, batch["input_ids"], mask)
  with torch.no_grad():
    theirs = both.model(**tensors(batch))["logits"].numpy()
  close(both.lm.logits(**batch)[valid], theirs[valid])


def test_states(both):
  batch = dict(both.tokenizer(TEXTS, padding=True, return_tensors="np"))
  ids, mask = batch["input_ids"], batch["attention_mask"]
  given, valid = {"input_ids": ids, "attention_mask": mask}, mask > 0
  if both.paired:
    given["decoder_input_ids"] = shifted(both, ids, mask)
  with torch.no_grad():
    theirs = both.base(**tensors(given))["last_hidden_state"].numpy()
  close(both.lm.hidden(ids, mask)[valid], theirs[valid])
  states = both.lm.hidden(TEXTS)
  means = both.lm.embed(TEXTS)
  for text, state, mean in zip(TEXTS, states, means, strict=True):
    row = np.array([ids_of(both, text)])
    given = {"input_ids": row, "attention_mask": np.ones_like(row)}
    if both.paired:
      given["decoder_input_ids"] = shifted(both, row, np.ones_like(row))
    with torch.no_grad():
      theirs = both.base(**tensors(given))["last_hidden_state"][0].numpy()
    close(state, theirs)
    close(mean, theirs.mean(0))
    close(both.lm.hidden(row)[0], theirs)


def _logp(both, **given):
  """log p of every token at every position, from PyTorch: [B, T, V]."""
  with torch.no_grad():
    logits = both.model(**tensors(given))["logits"]
  return torch.log_softmax(logits, -1).numpy()


def _causal(both, text):
  ids = np.array([ids_of(both, text)])
  logp = _logp(both, input_ids=ids)[0]
  scores = [logp[i - 1, ids[0, i]] for i in range(1, ids.shape[1])]
  if both.lm.tokenizer.specials.before:
    return scores
  return [0.0, *scores]  # nothing predicts the first


def _hidden(both, text):
  """For each token of a text what is hidden from it: bool [n, T]."""
  specials = both.lm.tokenizer.specials
  (encoded,) = both.lm.tokenizer.encode_batch([text])
  count, first = len(encoded.ids), len(specials.before)
  hidden = np.zeros((count, count + first + len(specials.after)), bool)
  for i in range(count):
    for j in range(i, count):
      hidden[i, first + j] = encoded.word[j] == encoded.word[i]
  return hidden


def _masked(both, text):
  """Of a token, the rest of its word to the right hidden, too."""
  ids, hidden = np.array(ids_of(both, text)), _hidden(both, text)
  rows = np.where(hidden, both.tokenizer.mask_token_id, ids)
  logp = _logp(both, input_ids=rows)
  at = len(both.lm.tokenizer.specials.before) + np.arange(len(rows))
  return logp[np.arange(len(rows)), at, ids[at]]


def _permuted(both, text):
  ids, hidden = np.array(ids_of(both, text)), _hidden(both, text)
  count, length = hidden.shape
  at = np.arange(count)
  mapping = np.zeros((count, 1, length), np.float32)
  mapping[at, 0, at] = 1
  logp = _logp(
    both,
    input_ids=np.tile(ids, (count, 1)),
    perm_mask=np.tile(hidden[:, None], (1, length, 1)).astype(np.float32),
    target_mapping=mapping,
  )
  return logp[at, 0, ids[at]]


def _filled(both, text):
  """BART reads the text with a hole, and tells all of it."""
  ids = ids_of(both, text)
  if ids[0] == both.tokenizer.bos_token_id:
    ids = ids[1:]
  before = 0 if both.name == "bart" else len(both.lm.tokenizer.specials.before)
  start = both.model.config.decoder_start_token_id
  found = []
  for i in range(before, before + len(both.lm.tokenizer.encode(text))):
    source = np.array([ids])
    source[0, i] = both.tokenizer.mask_token_id
    decoder = np.array([[start, *ids[:-1]]])
    logp = _logp(both, input_ids=source, decoder_input_ids=decoder)
    found.append(logp[0, i, ids[i]])
  return found


def _spans(both, text):
  """T5 reads the text with a sentinel, and tells what it stands for."""
  ids = ids_of(both, text)
  known = both.tokenizer.get_vocab()
  sentinel = known.get("<extra_id_0>", known.get("▁<extra_id_0>"))
  decoder = np.array([[both.model.config.decoder_start_token_id, sentinel]])
  found = []
  for i in range(len(both.lm.tokenizer.encode(text))):
    source = np.array([ids])
    source[0, i] = sentinel
    logp = _logp(both, input_ids=source, decoder_input_ids=decoder)
    found.append(logp[0, 1, ids[i]])
  return found


def _after_nothing(both, text):
  """The whole text, behind its language, as an answer to the boundary token."""
  specials = both.lm.tokenizer.specials
  ids = both.lm.tokenizer.encode(text)
  read = [specials.start, *specials.before, *ids[:-1]]
  logp = _logp(
    both,
    input_ids=np.array([[specials.boundary]]),
    decoder_input_ids=np.array([read]),
  )
  return logp[0, len(specials.before) + np.arange(len(ids)), ids]


SCORES = {
  "clm": ("log_likelihood", _causal),
  "mlm": ("pseudo_log_likelihood", _masked),
  "permutation_lm": ("pseudo_log_likelihood", _permuted),
  "prefix_lm": ("log_likelihood", _after_nothing),
  "denoising": ("infilling", _filled),
  "span_corruption": ("infilling", _spans),
}


def test_scores(both):
  scoring, direct = SCORES[both.lm.config.objective]
  assert both.lm.scoring == scoring
  tokens = both.lm.score(TEXTS, per_token=True)
  sums = both.lm.score(TEXTS)
  for text, found, total in zip(TEXTS, tokens, sums, strict=True):
    theirs = direct(both, text)
    assert len(found) == len(both.lm.tokenizer.encode(text))
    np.testing.assert_allclose(found, theirs, atol=harness.LOGITS)
    assert total == pytest.approx(np.sum(theirs), rel=1e-5)


def test_what_looks_real(cache, tmp_path):
  """An ELECTRA's score: log P(token is original), summed."""
  theirs = tmp_path / "theirs"
  foreign_directories.build("electra", theirs, "ElectraForPreTraining")
  lm = lm_jax.load(theirs)
  assert (lm.outputs, lm.scoring) == (("replaced",), "energy")
  tokenizer = transformers.AutoTokenizer.from_pretrained(theirs)
  model = transformers.ElectraForPreTraining.from_pretrained(theirs)
  found = lm.score(TEXTS, per_token=True)
  for text, score in zip(TEXTS, found, strict=True):
    with torch.no_grad():
      logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
    real = torch.nn.functional.logsigmoid(-logits)[1:-1]
    np.testing.assert_allclose(score, real, atol=harness.LOGITS)


@pytest.mark.parametrize(
  ("name", "architecture"),
  [
    ("bert", "BertModel"),
    ("gpt2", "GPT2ForSequenceClassification"),
    ("t5", "T5EncoderModel"),
    ("bart", "BartForQuestionAnswering"),
  ],
)
def test_what_has_no_score(name, architecture, cache, tmp_path):
  foreign_directories.build(name, tmp_path / "theirs", architecture)
  lm = lm_jax.load(tmp_path / "theirs")
  with pytest.raises(UsageError, match="score: the model has no output"):
    lm.score(TEXTS)
  width = 32
  assert lm.embed(TEXTS).shape == (len(TEXTS), width)
  assert lm.save_pretrained(tmp_path / "back")


def _config(model):
  """Without what tells how the model was loaded."""
  found = model.config.to_dict()
  return {k: v for k, v in found.items() if k not in ("_name_or_path", "dtype")}


def test_it_is_saved_for_transformers(both, tmp_path):
  to = tmp_path / "back"
  assert both.lm.save_pretrained(to) == [str(to)]
  model = harness.whole(both.cls, to)
  tokenizer = transformers.AutoTokenizer.from_pretrained(to)
  assert type(tokenizer) is type(both.tokenizer)
  assert _config(model) == _config(both.model)
  for text in foreign.SENTENCES:
    assert tokenizer.encode(text) == both.tokenizer.encode(text)
  for name, parameter in both.model.named_parameters():
    assert torch.equal(parameter, model.get_parameter(name)), name
