"""Generation against what reading everything again gives, and brute force."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lm_jax
from lm_jax.data import rows as rows_lib
from lm_jax.generation import program, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.inference import load
from lm_jax.inference.score import exact
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble

PROMPTS = ("The law of my", "We", "In the acts we are")


@pytest.fixture(scope="module")
def model(tiny):
  """A function from options to an untrained model, far from uniform."""
  made = {}

  def make(objective="clm", spread=1.5, **changes):
    key = objective, spread, repr(changes)
    if key not in made:
      config = tiny.config(objective=objective, **changes)
      dataset = rows_lib.load(config.data, config.length)
      program = assemble.make_program(config, dataset)
      params = program.initial(np.uint32(0)).params
      rng = np.random.default_rng(1)
      params = jax.tree.map(
        lambda x: (
          jnp.array(
            rng.normal(0, spread / x.shape[-1] ** 0.5, x.shape), x.dtype
          )
          if x.ndim > 1
          else x
        ),
        params,
      )
      made[key] = load.from_plan(
        config, dataset.tokenizer, program.plan, params
      )
    return made[key]

  return make


def _read_again(model, text, found):
  """By the definition: the likeliest token behind the prompt and each of those
  that were found, all read at once without a cache."""
  problem = prompts.lay_out(model, prompts.encode(model, [text], 0, ""))
  inputs, count = problem.inputs, len(found)
  slots = inputs.tokens_BxT.shape[1] + np.arange(count)
  real = int((np.asarray(inputs.segment_BxT) > 0).sum())

  def grow(x, values):
    return np.concatenate([np.asarray(x), np.asarray(values)[None]], axis=1)

  grown = type(inputs)(
    tokens_BxT=grow(inputs.tokens_BxT, found),
    position_BxT=grow(inputs.position_BxT, real + np.arange(count)),
    segment_BxT=grow(inputs.segment_BxT, np.ones(count, int)),
    query_rank_BxT=grow(inputs.query_rank_BxT, slots),
    key_rank_BxT=grow(inputs.key_rank_BxT, slots),
    mask=inputs.mask,
  )

  def logits(net, inputs, source):
    hidden = net.states(inputs, source)
    return net.head("vocabulary", hidden[:, -count - 1 :])[0]

  network = model.measuring
  rows = exact(logits, network)(model.params, grown, problem.source)
  return np.argmax(rows, axis=1).tolist()[:count]


@pytest.mark.parametrize(
  "options",
  [
    {"objective": "clm"},
    {"objective": "clm", "trunk": {"positions": "relative"}},
    {"objective": "clm", "trunk": {"positions": "alibi", "windows": (4, 0)}},
    {"objective": "clm", "trunk": {"positions": "learned", "scan": True}},
    {"objective": "clm", "trunk": {"heads": 2, "kv_heads": 1}},
    {"objective": "prefix_lm"},
    {"objective": "prefix_lm", "architecture": "encoder_decoder"},
    {"objective": "span_corruption"},
    {"objective": "span_corruption", "architecture": "encoder_decoder"},
    {"objective": "denoising"},
    {"objective": "denoising", "architecture": "encoder_decoder"},
    {"objective": "ul2"},
    {"objective": "hybrid"},
  ],
  ids=repr,
)
def test_a_cache_changes_nothing(model, options):
  made = model(**options)
  asked = Generation(max_new_tokens=6)
  found = Generator(made).generate(PROMPTS[:1], asked)[0]
  assert found.ids == _read_again(made, PROMPTS[0], found.ids)
  ended = found.ids[-1] in Generator(made)._ends(asked)
  assert len(found.ids) == 6 or ended


def test_ragged_prompts_give_what_each_gives_alone(model):
  for options in ({}, {"num_beams": 3}):
    asked = Generation(max_new_tokens=8, **options)
    generator = Generator(model())
    together = generator.generate(PROMPTS, asked)
    alone = [generator.generate([text], asked)[0] for text in PROMPTS]
    assert [x.ids for x in together] == [x.ids for x in alone]
    assert len({tuple(x.ids) for x in together}) > 1


def test_three_programs_serve_prompts_of_any_length(model, monkeypatch):
  made = model(length=1088, batch_size=2)
  program._compiled.cache_clear()
  generator = Generator(made)
  for length in (1, 5, 64, 65, 200, 256, 257, 800, 1000):
    generator.continue_ids([[9] * length], Generation(max_new_tokens=2))
  # A program for each number of slots, each compiled for one shape.
  assert program._compiled.cache_info().currsize <= 3


def _all_scores(model, text, length, ends):
  """Log-probability of every continuation that ends or has `length`."""
  problem = prompts.lay_out(model, prompts.encode(model, [text], 0, ""))
  start = [
    int(t)
    for t, s in zip(
      np.asarray(problem.inputs.tokens_BxT)[0],
      np.asarray(problem.inputs.segment_BxT)[0],
      strict=True,
    )
    if s
  ]
  lm = lm_jax.LanguageModel(model)
  found = {}
  level = [((), 0.0)]
  for _ in range(length):
    ids = np.array([[*start, *new] for new, _ in level])
    logits = lm.logits(ids)[:, -1].astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
    grown = []
    for (new, score), row in zip(level, log_p, strict=True):
      for token in np.argsort(-row)[:WIDTH]:
        item = ((*new, int(token)), score + row[token])
        (found.setdefault if token in ends else _keep(grown))(*item)
    level = grown
  found.update(dict(level))
  return found


def _keep(items):
  return lambda *item: items.append(item)


# Tokens beyond these are not among the best texts of the test's model.
WIDTH = 12


def test_many_beams_find_the_best_of_all_texts(model):
  made = model(spread=3.0)
  generator = Generator(made)
  asked = Generation(
    max_new_tokens=2,
    num_beams=40,
    num_return_sequences=3,
    length_penalty=0.0,
    early_stopping="never",
  )
  ends = generator._ends(asked)
  scores = _all_scores(made, PROMPTS[0], 2, ends)
  best = sorted(scores, key=scores.__getitem__, reverse=True)[:3]
  found = generator.generate(PROMPTS[:1], asked)
  assert [tuple(x.ids) for x in found] == best
  for result in found:
    assert result.score == pytest.approx(scores[tuple(result.ids)], abs=1e-4)


def test_groups_of_beams_by_their_definition(model):
  """Vijayakumar et al. 2018, algorithm 1, one beam a group: each takes the
  likeliest token less the penalty for those that earlier groups took."""
  made = model(spread=3.0)
  generator = Generator(made)
  groups, length, penalty = 3, 5, 4.0
  lm = lm_jax.LanguageModel(made)
  ids = prompts.encode(made, PROMPTS[:1], 0, "")[0]
  texts = [[] for _ in range(groups)]
  sums = [0.0] * groups
  for _ in range(length):
    taken = []
    for group in range(groups):
      logits = lm.logits(np.array([ids + texts[group]]))[0, -1]
      top = logits.max()
      log_p = logits - top - np.log(np.exp(logits - top).sum())
      log_p = np.array(
        [x - penalty * taken.count(i) for i, x in enumerate(log_p)]
      )
      token = int(log_p.argmax())
      taken.append(token)
      texts[group].append(token)
      sums[group] += log_p[token]
  found = generator.generate(
    PROMPTS[:1],
    Generation(
      max_new_tokens=length,
      min_new_tokens=0,
      num_beams=groups,
      num_beam_groups=groups,
      num_return_sequences=groups,
      diversity_penalty=penalty,
      length_penalty=0.0,
      eos_token_id=(1,),
    ),
  )
  assert not any(1 in text for text in texts)
  assert {tuple(x.ids) for x in found} == set(map(tuple, texts))
  assert sorted(x.score for x in found) == pytest.approx(sorted(sums), abs=1e-3)


def test_sampling_is_a_function_of_the_seed(model):
  generator = Generator(model())

  def draw(seed):
    asked = Generation(
      max_new_tokens=12, do_sample=True, seed=seed, num_return_sequences=3
    )
    return [x.ids for x in generator.generate(PROMPTS[:2], asked)]

  assert draw(1) == draw(1) != draw(2)
  assert len({tuple(ids) for ids in draw(1)}) == 6


def test_streams_are_what_comes_at_once(model):
  generator = Generator(model())
  asked = Generation(
    max_new_tokens=15, min_new_tokens=15, do_sample=True, seed=3
  )
  whole = generator.generate(PROMPTS[:1], asked)[0]
  pieces = []
  streamed = generator.generate(
    PROMPTS[:1], asked, show=lambda _, piece: pieces.append(piece)
  )[0]
  assert streamed.ids == whole.ids
  assert "".join(pieces) == streamed.text == whole.text
  assert len(pieces) > 2


def test_a_text_stops_behind_a_string(model):
  made = model()
  generator = Generator(made)
  # Between special tokens, which are part of what was made and not shown.
  free = {"max_new_tokens": 15, "suppress_tokens": made.spec.specials.ids}
  plain = generator.generate(PROMPTS[:1], Generation(**free))[0]
  stop = plain.text[3:6]
  asked = Generation(**free, stop_strings=(stop,))
  found = generator.generate(PROMPTS[:1], asked)[0]
  assert found.finish == "stop"
  assert found.text == plain.text[: plain.text.index(stop) + len(stop)]


def test_nothing_of_a_text_runs_past_a_stop_string(model):
  made = model()
  generator = Generator(made)
  every = tuple(i for i in range(made.spec.vocabulary) if i != 70)
  # One token again and again: its text ends it at once.
  stop = made.tokenizer.decode([70], skip_special_tokens=False)
  for options in ({}, {"num_beams": 3}, {"do_sample": True}):
    asked = Generation(
      max_new_tokens=9, suppress_tokens=every, stop_strings=(stop,), **options
    )
    found = generator.continue_ids([[9, 10]], asked)[0]
    assert (found.ids, found.finish) == ([70], "stop"), options
    if "num_beams" not in options:  # which are scored before suppression
      assert found.score == pytest.approx(0.0, abs=1e-5)


def test_the_score_of_a_stopped_text_is_that_of_its_tokens(model):
  made = model()
  generator = Generator(made)
  free = {"suppress_tokens": made.spec.specials.ids}

  def generate(**options):
    asked = Generation(**free, **options)
    return generator.generate(PROMPTS[:1], asked)[0]

  plain = generate(max_new_tokens=15)
  found = generate(max_new_tokens=15, stop_strings=(plain.text[4:6],))
  count = len(found.ids)
  assert found.ids == plain.ids[:count] and count < 15
  short = generate(max_new_tokens=count)
  assert found.score == short.score


@pytest.mark.parametrize("beams", [1, 2])
def test_a_special_token_can_stop_a_text(model, beams):
  """A stop string is looked for in what the model made, not what is shown."""
  made = model()
  token = made.spec.specials.mask
  name = made.tokenizer.decode([token], skip_special_tokens=False)
  every = tuple(i for i in range(made.spec.vocabulary) if i not in (70, token))
  asked = Generation(
    **{"max_new_tokens": 6, "suppress_tokens": every, "num_beams": beams},
    begin_suppress_tokens=(token,),
    bad_words_ids=((70, 70),),
    stop_strings=(name,),
  )
  found = Generator(made).continue_ids([[9, 10]], asked)[0]
  assert (found.ids, found.finish) == ([70, token], "stop")
  assert name not in found.text


def test_the_context_ends_a_text(model):
  made = model(trunk={"positions": "learned"})
  room = prompts.context(made)
  generator = Generator(made)
  found = generator.continue_ids(
    [[9] * (room - 3)], Generation(max_new_tokens=50, eos_token_id=(1,))
  )[0]
  assert len(found.ids) == 4  # The last one need not be read.
  with pytest.raises(UsageError, match="context has room for"):
    generator.continue_ids([[9] * (room + 1)], Generation())


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"temperature": 0.0}, "temperature=0.0: must be above 0; do_sample=false"),
    ({"top_p": 1.5}, "top_p=1.5: must be above 0 and at most 1"),
    ({"num_return_sequences": 2}, "all would be the same"),
    ({"num_beams": 2, "num_return_sequences": 3}, "no more than that"),
    ({"num_beams": 4, "num_beam_groups": 3}, "must divide num_beams=4"),
    ({"max_new_tokens": 0}, "max_new_tokens=0: must be 1 to"),
    ({"eos_token_id": 10**6}, "eos_token_id: 1000000 is no id"),
    ({"top_kk": 3}, "generate=top_kk: unknown; did you mean top_k"),
    ({"max_length": 2}, "max_length=2: the prompt alone has"),
  ],
)
def test_options_out_of_range(model, options, message):
  lm = lm_jax.LanguageModel(model())
  with pytest.raises(UsageError, match=message):
    lm.generate(["The laws"], **options)


def test_models_that_can_not(model):
  with pytest.raises(UsageError, match="fills blanks"):
    lm_jax.LanguageModel(model("mlm")).generate(["The laws"])
  with pytest.raises(UsageError, match="does not fill blanks"):
    lm_jax.LanguageModel(model("clm")).fill("[MASK]")


def test_ids_as_transformers_takes_them(model):
  lm = lm_jax.LanguageModel(model())
  ids = np.array([[9, 8, 7], [0, 0, 9]])
  mask = np.array([[1, 1, 1], [0, 0, 1]])
  found = lm.generate(ids, attention_mask=mask, max_new_tokens=4)
  assert found[0, :3].tolist() == [9, 8, 7] and found[1, 0] == 9
  alone = lm.generate(np.array([[9]]), max_new_tokens=4)
  assert found[1, : alone.shape[1]].tolist() == alone[0].tolist()


def test_blanks_have_the_model_s_own_probabilities(model):
  made = model("mlm")
  lm = lm_jax.LanguageModel(made)
  text = "The [MASK] of my [MASK]"
  ids = [
    *made.spec.specials.before,
    *made.tokenizer.encode(text, parse_special=True),
    *made.spec.specials.after,
  ]
  logits = lm.logits(np.array([ids]))[0].astype(np.float64)
  places = [i for i, t in enumerate(ids) if t == made.spec.specials.mask]
  found = lm.fill(text, top_k=4)
  assert len(found) == len(places) == 2
  for at, blank in zip(places, found, strict=True):
    p = np.exp(logits[at] - logits[at].max())
    p /= p.sum()
    assert [c.token for c in blank] == np.argsort(-p)[:4].tolist()
    assert [c.probability for c in blank] == pytest.approx(
      sorted(p, reverse=True)[:4], rel=1e-4
    )


@pytest.mark.parametrize(
  ("objective", "options"),
  [
    ("mlm", {"pseudo_likelihood": "original"}),
    ("hybrid", {"pseudo_likelihood": "original"}),
    ("permutation_lm", {"pseudo_likelihood": "original"}),
  ],
)
def test_a_blank_is_told_as_its_token_is_scored(model, objective, options):
  made = model(objective, objective_options=options)
  lm = lm_jax.LanguageModel(made)
  text = "The law of my people"
  ids = made.tokenizer.encode(text)
  vocabulary = made.spec.vocabulary
  scores = lm.score([text], per_token=True)[0]
  tried = 0
  for at, token in enumerate(ids):
    before, after = map(made.tokenizer.decode, (ids[:at], ids[at + 1 :]))
    blanked = f"{before}[MASK]{after}"
    wanted = [*ids[:at], made.spec.specials.mask, *ids[at + 1 :]]
    if made.tokenizer.encode(blanked, parse_special=True) != wanted:
      continue  # What is around a blank is cut in another way.
    found = lm.fill(blanked, vocabulary)[0]
    p = next(c.probability for c in found if c.token == token)
    assert np.log(p) == pytest.approx(scores[at], rel=1e-4, abs=1e-5)
    tried += 1
  assert tried > 3


@pytest.mark.parametrize(
  "objective", ["mlm", "rtd", "hybrid", "permutation_lm"]
)
def test_sentences_have_no_blanks_left(model, objective):
  lm = lm_jax.LanguageModel(model(objective))
  for steps in (1, 3, 20):
    found = lm.fill_sentence("The [MASK] of [MASK] [MASK] are", steps)
    assert "[MASK]" not in found and found.startswith("The")


def test_contrastive_search_by_its_definition(model):
  """Su et al. 2022, equation 5, everything read again for each candidate."""
  made = model(spread=2.0)
  lm = lm_jax.LanguageModel(made)
  alpha, k, length = 0.6, 5, 8
  ids = prompts.encode(made, PROMPTS[:1], 0, "")[0]
  text = list(ids)

  def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

  for _ in range(length):
    logits = lm.logits(np.array([text]))[0, -1].astype(np.float64)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    before = unit(lm.hidden(np.array([text]))[0])
    best = {}
    for token in np.argsort(-p)[:k]:
      state = unit(lm.hidden(np.array([[*text, token]]))[0, -1])
      best[int(token)] = (1 - alpha) * p[token] - alpha * (before @ state).max()
    text.append(max(best, key=best.__getitem__))
  found = Generator(made).generate(
    PROMPTS[:1],
    Generation(
      max_new_tokens=length, penalty_alpha=alpha, top_k=k, eos_token_id=(1,)
    ),
  )[0]
  assert 1 not in text[len(ids) :]
  assert found.ids == text[len(ids) :]
  # Several prompts at once do not disturb one another.
  asked = Generation(max_new_tokens=6, penalty_alpha=alpha, top_k=k)
  together = Generator(made).generate(PROMPTS, asked)
  alone = [Generator(made).generate([t], asked)[0] for t in PROMPTS]
  assert [x.ids for x in together] == [x.ids for x in alone]


def _other(model):
  """The same model with other parameters, near enough to guess some."""
  rng = np.random.default_rng(5)
  params = jax.tree.map(
    lambda x: x + 0.15 * rng.normal(0, 1, x.shape) * np.std(x), model.params
  )
  return dataclasses.replace(model, params=params)


def test_a_draft_does_not_change_greedy_search(model):
  made = model()
  plain = Generator(made)
  guessing = Generator(made, draft=_other(made))
  for count in (1, 2, 4):
    asked = Generation(max_new_tokens=20, draft_tokens=count)
    expected = plain.generate(PROMPTS, asked)
    found = guessing.generate(PROMPTS, asked)
    assert [x.ids for x in found] == [x.ids for x in expected]
    assert [x.finish for x in found] == [x.finish for x in expected]
    assert 0 < guessing.accepted < guessing.proposed
  same = Generator(made, draft=made)
  same.generate(PROMPTS, asked)
  assert same.accepted == same.proposed > 0


def test_a_draft_does_not_change_the_distribution(model):
  """Chi-square over the pairs of the second and third token."""
  from scipy import stats

  made = model(spread=1.0)
  guessing = Generator(made, draft=_other(made))
  asked = Generation(
    max_new_tokens=3,
    do_sample=True,
    top_k=3,
    draft_tokens=2,
    num_return_sequences=1500,
    eos_token_id=(1,),
  )
  found = guessing.generate(PROMPTS[:1], asked)
  assert 0.05 < guessing.accepted / guessing.proposed < 0.98
  lm = lm_jax.LanguageModel(made)
  ids = prompts.encode(made, PROMPTS[:1], 0, "")[0]

  def likely(text):
    logits = lm.logits(np.array([text]))[0, -1].astype(np.float64)
    top = np.argsort(-logits)[:3]
    p = np.exp(logits[top] - logits[top].max())
    return dict(zip(top.tolist(), p / p.sum(), strict=True))

  expected = {
    (a, b, c): p * q * r
    for a, p in likely(ids).items()
    for b, q in likely([*ids, a]).items()
    for c, r in likely([*ids, a, b]).items()
  }
  seen = [tuple(x.ids) for x in found]
  assert set(seen) <= set(expected)
  counts = np.array([seen.count(key) for key in expected])
  means = len(seen) * np.array(list(expected.values()))
  rare = means < 5
  if rare.any():
    counts = np.append(counts[~rare], counts[rare].sum())
    means = np.append(means[~rare], means[rare].sum())
  assert stats.chisquare(counts, means).pvalue > 1e-3
  for result in found[:5]:
    key = tuple(result.ids)
    assert result.score == pytest.approx(np.log(expected[key]), abs=1e-4)


def test_a_draft_must_read_what_the_model_reads(model):
  with pytest.raises(UsageError, match="reads a prompt in another way"):
    Generator(model(), draft=model("prefix_lm"))
  guessing = Generator(model(), draft=model())
  with pytest.raises(UsageError, match="num_beams=2: does not go with a draft"):
    guessing.generate(PROMPTS[:1], Generation(num_beams=2))
