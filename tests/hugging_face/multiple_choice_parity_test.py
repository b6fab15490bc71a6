"""Scores of candidates, packed in rows here and in live Transformers."""

import family_cases
import harness
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.data import rows as rows_lib
from lm_jax.examples.forms import Example
from lm_jax.finetuning import forward
from lm_jax.finetuning.heads.multiple_choice import MultipleChoice
from lm_jax.hugging_face import export
from lm_jax.inference import load
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.tasks.copa import Copa
from lm_jax.training import assemble

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings("ignore"),
]

SHAPE = {"layers": 2, "width": 32, "heads": 2, "feedforward": 48}
OWN = {"albert": {"sharing": (0, 0), "embedding_width": 24}}
CLASSES = {
  "bert": "BertForMultipleChoice",
  "roberta": "RobertaForMultipleChoice",
  "albert": "AlbertForMultipleChoice",
}
EXAMPLES = [
  Example(str(i), dict(zip(Copa.form.fields, texts, strict=True)), "choice1")
  for i, texts in enumerate(
    [
      ("the law is so", "cause", "we act", "to the citizens of the states"),
      ("to the states", "effect", "my laws are so", "the people"),
      ("we", "", "act in my laws", "so"),
    ]
  )
]


@pytest.fixture(scope="module", autouse=True)
def quiet():
  harness.quiet()


def model_of(tiny, preset):
  """A model as a run on COPA would have it, not trained."""
  config = tiny.config(
    objective="multiple_choice",
    objective_options={"choices": 2},
    task="copa",
    length=400,
    trunk={"preset": preset, **SHAPE, **OWN.get(preset, {})},
    data=tiny.data(sentinels=20, packing="packed"),
  )
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  params = [
    jnp.asarray(family_cases.draw(name, leaf.shape))
    for name, leaf in flatten(program.abstract.params).items()
  ]
  treedef = jax.tree.structure(program.abstract.params)
  params = jax.tree.unflatten(treedef, params)
  return load.from_plan(config, dataset.tokenizer, program.plan, params)


@pytest.mark.parametrize("preset", CLASSES)
def test_candidates_have_the_scores_that_transformers_gives(
  tiny, tmp_path, preset
):
  model = model_of(tiny, preset)
  tokenizer = model.tokenizer
  [directory] = export.save(model, str(tmp_path / "to"), preset)
  theirs = transformers.AutoModelForMultipleChoice.from_pretrained(directory)
  assert type(theirs).__name__ == CLASSES[preset]
  items = MultipleChoice().encode(
    Copa(), EXAMPLES, tokenizer, 400, {"choices": 2}
  )
  assert not items.cut
  ours = forward.outputs(model, items.items)
  for item, logits_C in zip(items.items, ours, strict=True):
    sizes_C = np.bincount(item.label // 2)
    shape = (1, 2, sizes_C.max())
    ids = np.full(shape, tokenizer.specials.pad)
    types, mask = np.zeros(shape, int), np.zeros(shape, int)
    for index, size in enumerate(sizes_C):
      here = item.label // 2 == index
      ids[0, index, :size] = item.tokens[here]
      types[0, index, :size] = item.text[here]
      mask[0, index, :size] = 1
    given = {"input_ids": ids, "attention_mask": mask}
    if dict(model.network.trunks)["main"].token_types > 1:
      given["token_type_ids"] = types
    with torch.no_grad():
      found = theirs.eval()(**{k: torch.tensor(v) for k, v in given.items()})
    np.testing.assert_allclose(logits_C, found.logits[0].numpy(), 0, 2e-5)
  assert len({tuple(x.tolist()) for x in ours}) == len(ours)


def test_a_head_of_another_activation_is_refused_in_one_line(tiny, tmp_path):
  with pytest.raises(UsageError, match="its head choice is .*gelu") as error:
    export.save(model_of(tiny, "electra"), str(tmp_path / "to"), "electra")
  assert "\n" not in str(error.value)
