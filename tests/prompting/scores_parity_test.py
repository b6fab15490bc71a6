"""Scores of choices against PyTorch Transformers, text in and number out."""

import foreign_directories
import numpy as np
import pytest

from lm_jax.inference import load
from lm_jax.prompting.cloze import BLANK, Cloze
from lm_jax.prompting.likelihood import Likelihood
from lm_jax.prompting.own_score import ObjectiveScorer
from lm_jax.prompting.pairs import Pair

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

PROMPTS = (
  "the quick brown fox",
  "language models learn the words in a",
  "a naïve café in Zürich serves the lazy dog and the fox, don't you know?",
  "you know ",  # The space belongs to the choice.
)
CHOICES = ("dog", "the lazy dog", "crème brûlée, don't you know", "over")


def _pairs():
  return [Pair(p, " " + c) for p in PROMPTS for c in CHOICES]


def _both(name, folder):
  torch = pytest.importorskip("torch")
  import transformers

  foreign_directories.build(name, folder / name)
  classes = foreign_directories.MODELS[name.partition("-")[0]][0]
  model = getattr(transformers, classes).from_pretrained(folder / name).eval()
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder / name)
  return torch, model, tokenizer, load.load(str(folder / name))


def _logs(torch, logits, ids):
  """log p of ids [T] by logits [T, V], float64."""
  logs = torch.log_softmax(logits.double(), -1)
  return logs[range(len(ids)), ids].numpy()


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neo"])
def test_decoders(name, tmp_path):
  torch, model, tokenizer, ours = _both(name, tmp_path)
  before = list(ours.spec.specials.before)
  judge = Likelihood(ours)
  found = judge.scores(_pairs())
  for i, (prompt, choice) in enumerate(_pairs()):
    encode = lambda t: tokenizer.encode(t, add_special_tokens=False)  # noqa: E731
    whole = before + encode(prompt + choice)
    length = len(before) + len(encode(prompt.rstrip(" ")))
    with torch.no_grad():
      logits = model(torch.tensor([whole])).logits[0]
    wanted = _logs(torch, logits[length - 1 : -1], whole[length:])
    assert found.tokens[i] == len(wanted)
    assert found.sums[i] == pytest.approx(wanted.sum(), abs=1e-4)
  assert judge.programs <= 6


@pytest.mark.parametrize("name", ["t5", "bart", "m2m_100"])
def test_encoder_decoders(name, tmp_path):
  torch, model, tokenizer, ours = _both(name, tmp_path)
  found = Likelihood(ours).scores(_pairs())
  for i, (prompt, choice) in enumerate(_pairs()):
    source = torch.tensor([tokenizer.encode(prompt)])
    ids = tokenizer.encode(choice.strip(), add_special_tokens=False)
    start = [model.config.decoder_start_token_id, *ids[:-1]]
    with torch.no_grad():
      logits = model(source, decoder_input_ids=torch.tensor([start])).logits[0]
    wanted = _logs(torch, logits, ids)
    assert found.tokens[i] == len(wanted)
    assert found.sums[i] == pytest.approx(wanted.sum(), abs=1e-4)


@pytest.mark.parametrize("name", ["bert", "roberta", "albert"])
def test_cloze(name, tmp_path):
  torch, model, tokenizer, ours = _both(name, tmp_path)
  prompts = [
    f"the quick fox was {BLANK}, you know",
    f"{BLANK} models learn",
    f"jumps over the {BLANK}",
  ]
  pairs = [Pair(p, " " + c) for p in prompts for c in CHOICES]
  found = Cloze(ours).scores(pairs)
  sign, mask = tokenizer.mask_token, tokenizer.mask_token_id
  several = 0
  for i, (prompt, choice) in enumerate(pairs):
    left = prompt.partition(BLANK)[0]
    encode = lambda t: tokenizer.encode(t, add_special_tokens=False)  # noqa: E731
    tokens = encode(left + choice.strip())[len(encode(left.rstrip())) :]
    several += len(tokens) > 1
    ids = tokenizer.encode(prompt.replace(BLANK, sign))
    place = ids.index(mask)
    ids[place : place + 1] = [mask] * len(tokens)
    total, open_ = 0.0, list(range(len(tokens)))
    while open_:  # PET: the most probable token is filled first.
      with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
      logs = _logs(
        torch, logits[[place + j for j in open_]], [tokens[j] for j in open_]
      )
      best = open_.pop(int(logs.argmax()))
      total += logs.max()
      ids[place + best] = tokens[best]
    assert found.tokens[i] == len(tokens)
    assert found.sums[i] == pytest.approx(total, abs=1e-4)
  assert several > 3


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_pseudo_likelihood_of_the_choice_alone(name, tmp_path):
  torch, model, tokenizer, ours = _both(name, tmp_path)
  judge = ObjectiveScorer(ours)
  assert judge.kind == "pseudo_log_likelihood"
  found = judge.scores(_pairs())
  for i, (prompt, choice) in enumerate(_pairs()):
    encoding = tokenizer(prompt + choice)
    words, ids = encoding.word_ids(), encoding["input_ids"]
    alone = tokenizer.encode(prompt.rstrip(" "), add_special_tokens=False)
    total = 0.0
    for t in range(1 + len(alone), len(ids) - 1):
      hidden = [
        tokenizer.mask_token_id
        if j == t or (j > t and words[j] == words[t])
        else token
        for j, token in enumerate(ids)
      ]
      with torch.no_grad():
        logits = model(torch.tensor([hidden])).logits[0]
      total += _logs(torch, logits[[t]], [ids[t]]).sum()
    assert np.isclose(found.sums[i], total, atol=1e-4)
