"""Generation against what reading everything again gives, and its ends."""

import numpy as np
import pytest

import lm_jax
from lm_jax.generation import program, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.inference.score import exact
from lm_jax.support.errors import UsageError

PROMPTS = ("The law of my", "We", "In the acts we are")


@pytest.fixture(scope="module")
def model(tiny):
  return tiny.model


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


def test_ids_as_transformers_takes_them(model):
  lm = lm_jax.LanguageModel(model())
  ids = np.array([[9, 8, 7], [0, 0, 9]])
  mask = np.array([[1, 1, 1], [0, 0, 1]])
  found = lm.generate(ids, attention_mask=mask, max_new_tokens=4)
  assert found[0, :3].tolist() == [9, 8, 7] and found[1, 0] == 9
  alone = lm.generate(np.array([[9]]), max_new_tokens=4)
  assert found[1, : alone.shape[1]].tolist() == alone[0].tolist()
