"""Models that were pretrained here, in live PyTorch Transformers."""

import family_cases
import harness
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lm_jax
from lm_jax.data import rows as rows_lib
from lm_jax.inference import load
from lm_jax.objectives.permutation_lm import PermutationLM
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

# The other presets that a family has, exported by name.
NAMED = {"roberta": "RobertaForMaskedLM"}
SHAPE = {"layers": 2, "width": 32, "heads": 2, "feedforward": 48}
OWN = {"albert": {"sharing": (0, 0), "embedding_width": 24}}
TEXTS = ["The law is so.", "We act in my laws.", "to the citizens"]
PAIRS = ("mlm_nsp", "mlm_sop")
ARMS = {
  "mlm": ("bert", "", "BertForMaskedLM"),
  "mlm_nsp": ("bert", "", "BertForPreTraining"),
  "mlm_sop": ("albert", "", "AlbertForPreTraining"),
  "clm": ("gpt2", "", "GPT2LMHeadModel"),
  "span_corruption": (
    *("t5", "encoder_decoder"),
    "T5ForConditionalGeneration",
  ),
  "denoising": ("bart", "encoder_decoder", "BartForConditionalGeneration"),
}


@pytest.fixture(scope="module", autouse=True)
def quiet():
  harness.quiet()


def model_of(tiny, objective, preset, architecture="", **trunk):
  """A model as a run of the objective would have it, not trained."""
  config = tiny.config(
    objective=objective,
    architecture=architecture,
    trunk={"preset": preset, **SHAPE, **trunk, **OWN.get(preset, {})},
    data=tiny.data(
      sentinels=20,
      packing="document" if objective in PAIRS else "packed",
    ),
  )
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  params = {
    name: jnp.asarray(family_cases.draw(name, leaf.shape))
    for name, leaf in flatten(program.abstract.params).items()
  }
  treedef = jax.tree.structure(program.abstract.params)
  params = jax.tree.unflatten(treedef, list(params.values()))
  return lm_jax.LanguageModel(
    load.from_plan(config, dataset.tokenizer, program.plan, params)
  )


def padded(lm):
  """Ids of the texts as Transformers lays them out here: [B, T], mask."""
  specials = lm.tokenizer.specials
  rows = [
    [*specials.before, *lm.tokenizer.encode(t), *specials.after] for t in TEXTS
  ]
  ids = np.full((len(rows), max(map(len, rows))), specials.pad)
  mask = np.zeros_like(ids)
  for i, row in enumerate(rows):
    ids[i, : len(row)] = row
    mask[i, : len(row)] = 1
  return ids, mask


def same(theirs, ours, mask):
  theirs = theirs.detach().numpy()
  assert theirs.shape == ours.shape
  gap = np.abs(theirs - ours)[mask > 0].max()
  print(f"difference {gap:.1e}")
  assert gap <= harness.LOGITS
  assert np.ptp(ours) > 0.05


@pytest.mark.parametrize("objective", ARMS)
def test_a_run_is_the_same_model_in_transformers(tiny, tmp_path, objective):
  preset, architecture, name = ARMS[objective]
  lm = model_of(tiny, objective, preset, architecture)
  to = str(tmp_path / "theirs")
  assert lm.save_pretrained(to) == [to]
  cls = getattr(transformers, name)
  model, info = cls.from_pretrained(to, output_loading_info=True)
  assert not info["missing_keys"] and not info["unexpected_keys"]
  tokenizer = transformers.AutoTokenizer.from_pretrained(to)
  again = lm_jax.load(to)
  for text in TEXTS:
    assert again.tokenizer.encode(text) == lm.tokenizer.encode(text)
  ids, mask = padded(again)
  theirs_in = tokenizer(TEXTS, padding=True)
  np.testing.assert_array_equal(theirs_in["input_ids"], ids)
  np.testing.assert_array_equal(theirs_in["attention_mask"], mask)
  given = {"input_ids": ids, "attention_mask": mask}
  if architecture:
    start = model.config.decoder_start_token_id
    assert start == lm.tokenizer.specials.start
    decoder = np.concatenate([np.full_like(ids[:, :1], start), ids[:, 1:]], 1)
    given["decoder_input_ids"] = decoder
  tensors = {key: torch.tensor(value) for key, value in given.items()}
  out = model.eval()(**tensors)
  logits = out["prediction_logits" if objective in PAIRS else "logits"]
  valid = np.ones_like(ids) if architecture else mask
  same(logits, lm.logits(**given), valid)
  # And what was written is read here as the same again.
  np.testing.assert_array_equal(again.logits(**given), lm.logits(**given))
  if objective in PAIRS:
    pair = lm.logits(**given, output="pair")
    theirs = (
      "sop_logits" if objective == "mlm_sop" else "seq_relationship_logits"
    )
    same(out[theirs], pair, np.ones(len(ids)))


@pytest.mark.parametrize("family", NAMED)
def test_a_run_is_exported_as_the_family_that_is_named(tiny, tmp_path, family):
  lm = model_of(tiny, "mlm", family)
  with pytest.raises(UsageError, match=f"--family=.*{family}.* would fit"):
    lm.save_pretrained(str(tmp_path / "other"), family="bert")
  lm.save_pretrained(str(tmp_path / "theirs"), family=family)
  # Which is what it was trained as, and so needs no name.
  lm.save_pretrained(str(tmp_path / "unnamed"))
  for name in ("config.json", "model.safetensors"):
    named, unnamed = (tmp_path / x / name for x in ("theirs", "unnamed"))
    assert named.read_bytes() == unnamed.read_bytes()
  cls = getattr(transformers, NAMED[family])
  model, info = cls.from_pretrained(
    tmp_path / "theirs", output_loading_info=True
  )
  assert not info["missing_keys"] and not info["unexpected_keys"]
  ids, mask = padded(lm)
  theirs = model.eval()(torch.tensor(ids), torch.tensor(mask)).logits
  same(theirs, lm.logits(ids, mask), mask)


def test_both_stacks_of_an_electra_are_written(tiny, tmp_path):
  lm = model_of(tiny, "rtd", "electra")
  to = tmp_path / "theirs"
  folders = [str(to / "discriminator"), str(to / "generator")]
  assert lm.save_pretrained(str(to)) == folders
  ids, mask = padded(lm)
  given = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
  for folder, cls in zip(
    folders, ("ElectraForPreTraining", "ElectraForMaskedLM"), strict=True
  ):
    model, info = getattr(transformers, cls).from_pretrained(
      folder, output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"]
    theirs = model.eval()(**given).logits
    if cls == "ElectraForPreTraining":
      same(theirs, lm.logits(ids, mask), mask)
    else:
      generator = lm_jax.load(folder)
      same(theirs, generator.logits(ids, mask), mask)
      ours = lm._model.network.clone(deterministic=True)
      same(theirs, _generator_logits(ours, lm._params, ids, mask), mask)


def _generator_logits(network, params, ids, mask):
  import flax.linen as nn

  from lm_jax import layout

  def run(net, stream):
    hidden = net.hidden(stream, stack="generator")
    return net.head("vocabulary", hidden, stack="generator")

  stream = layout.stream(
    jnp.asarray(ids, jnp.int32), jnp.asarray(mask, jnp.int32), "full"
  )
  return np.asarray(nn.apply(run, network)({"params": params}, stream))


def test_an_xlnet_predicts_the_same_in_any_order(tiny, tmp_path):
  lm = model_of(tiny, "permutation_lm", "xlnet")
  to = str(tmp_path / "theirs")
  lm.save_pretrained(to)
  model, info = transformers.XLNetLMHeadModel.from_pretrained(
    to, output_loading_info=True
  )
  assert not info["missing_keys"] and not info["unexpected_keys"]
  assert "transformer.mask_emb" in dict(model.named_parameters())
  # The objective's own problem over one text without padding.
  ids = padded(lm)[0][:, :12]
  one = jnp.ones_like(jnp.asarray(ids, jnp.int32))
  from lm_jax.types import Rows

  rows = Rows(jnp.asarray(ids, jnp.int32), one, jnp.cumsum(one, 1), one, one)
  spec = lm._spec
  problem = PermutationLM(K=3).make(jax.random.key(0), rows, spec)
  import flax.linen as nn

  def run(net, problem):
    hidden = net.hidden(problem.inputs)
    return net.head("vocabulary", hidden, problem.positions_BxP)

  network = lm._model.network.clone(deterministic=True)
  ours = np.asarray(nn.apply(run, network)({"params": lm._params}, problem))
  length = ids.shape[1]
  rank = np.asarray(problem.inputs.key_rank_BxT)[:, :length]
  at = np.asarray(problem.inputs.position_BxT)[:, length:]
  query = np.asarray(problem.inputs.query_rank_BxT)[:, length:]
  # perm_mask[i, j] = 1: i does not see j; a target's query sees less than the
  # token at its place, which itself it sees in their content stream only.
  hidden = rank[:, None, :] > rank[:, :, None]
  for b in range(len(ids)):
    for p, place in enumerate(at[b]):
      hidden[b, place] = rank[b] > query[b, p]
  weight = np.asarray(problem.weights["nll"])
  mapping = np.zeros((*at.shape, length), np.float32)
  np.put_along_axis(mapping, at[:, :, None], 1, axis=2)
  theirs = model.eval()(
    torch.tensor(ids),
    perm_mask=torch.tensor(hidden.astype(np.float32)),
    target_mapping=torch.tensor(mapping),
  ).logits
  same(theirs, ours, weight)


@pytest.mark.parametrize(
  ("trunk", "message"),
  [
    ({"positions": "rotary"}, "--trunk.positions=rotary is learned in BERT"),
    ({"norm_placement": "pre"}, "--trunk.norm_placement=pre is post in BERT"),
    ({"bias": False}, "--trunk.bias=false is true in BERT"),
  ],
)
def test_a_trunk_that_does_not_fit_is_refused(tiny, tmp_path, trunk, message):
  lm = model_of(tiny, "mlm", "bert", **trunk)
  with pytest.raises(UsageError, match=message) as raised:
    lm.save_pretrained(str(tmp_path / "theirs"))
  assert "\n" not in str(raised.value)
  assert not list(tmp_path.iterdir())


def test_a_taken_directory_is_refused(tiny, tmp_path):
  lm = model_of(tiny, "mlm", "bert")
  (tmp_path / "theirs").mkdir()
  (tmp_path / "theirs" / "x").touch()
  with pytest.raises(UsageError, match="not empty"):
    lm.save_pretrained(str(tmp_path / "theirs"))


def test_a_scan_is_unrolled(tiny, tmp_path):
  lm = model_of(tiny, "clm", "gpt2", scan=True)
  to = str(tmp_path / "theirs")
  lm.save_pretrained(to)
  ids, mask = padded(lm)
  np.testing.assert_allclose(
    lm_jax.load(to).logits(ids, mask)[mask > 0],
    lm.logits(ids, mask)[mask > 0],
    atol=1e-5,
  )
