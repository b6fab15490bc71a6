"""What is written for PEFT, read by PEFT over PyTorch Transformers."""

import adapting
import encoder_cases
import family_cases
import harness
import numpy as np
import pytest
from decoder_cases import GPT, LLAMA, T5
from family_cases import Case

from lm_jax.hugging_face import export, peft
from lm_jax.inference import load
from lm_jax.language_model import LanguageModel
from lm_jax.support.errors import UsageError

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

# With room for a prompt.
LONGER = {"max_position_embeddings": 24, "pad_token_id": 0}
BERT = {**encoder_cases.BERT, **LONGER}
CASES = {
  "gpt2": Case("GPT2LMHeadModel", {**GPT, "n_positions": 24}, 20),
  "llama": Case("LlamaForCausalLM", LLAMA, 20),
  "bert": Case("BertForMaskedLM", BERT, 20),
  "t5": Case("T5ForConditionalGeneration", T5, 20),
}
QUERY_VALUE = {"targets": ("query", "value")}
ALL = {"targets": ("query", "key", "value", "out", "up", "down")}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
  """Directories of Transformers by family."""
  harness.quiet()
  folder = tmp_path_factory.mktemp("bases")
  for name, case in CASES.items():
    harness.make_torch(case).save_pretrained(folder / name)
  return folder


def _theirs(name, directory, adapter):
  import transformers
  from peft import PeftModel

  architecture = CASES[name].architecture if name in CASES else name
  cls = getattr(transformers, architecture)
  base = cls.from_pretrained(directory, attn_implementation="eager").eval()
  return PeftModel.from_pretrained(base, adapter).eval()


def _logits(model, inputs, ahead=0):
  import torch

  given = {
    "input_ids": torch.tensor(inputs.ids),
    "attention_mask": torch.tensor(inputs.mask),
  }
  if inputs.decoder is not None:
    given["decoder_input_ids"] = torch.tensor(inputs.decoder)
  with torch.no_grad():
    return model(**given).logits.numpy()[:, ahead:]


def _ours(model, inputs):
  return LanguageModel(model).logits(
    inputs.ids, inputs.mask, decoder_input_ids=inputs.decoder
  )


def _difference(one, other, inputs, paired):
  valid = family_cases.valid(inputs, one.shape, paired)
  return float(np.abs((one - other) * valid).max())


@pytest.mark.parametrize(
  ("name", "method", "options"),
  [
    ("gpt2", "lora", QUERY_VALUE),
    ("gpt2", "lora", ALL),
    ("gpt2", "dora", QUERY_VALUE),
    ("gpt2", "dora", ALL),
    ("llama", "lora", {"targets": ("query", "value", "gate", "down")}),
    ("llama", "dora", QUERY_VALUE),
    ("bert", "lora", ALL),
    ("bert", "dora", ALL),
    ("t5", "lora", QUERY_VALUE),
    ("t5", "dora", ALL),
    ("gpt2", "soft_prompt", {}),
    ("llama", "soft_prompt", {}),
    ("bert", "soft_prompt", {}),
    ("t5", "soft_prompt", {}),
    ("gpt2", "p_tuning_v2", {}),
    ("llama", "p_tuning_v2", {}),
    ("gpt2", "prefix_tuning", {}),
    ("llama", "prefix_tuning", {}),
  ],
)
def test_peft_reads_it(name, method, options, bases, tmp_path):
  directory, adaptation = bases / name, adapting.make(method, **options)
  model = adapting.model(str(directory), adaptation)
  plain = load.load(str(directory))
  assert peft.save(model, str(tmp_path / "to")) == [str(tmp_path / "to")]
  their = _theirs(name, directory, tmp_path / "to")
  inputs = family_cases.make_inputs(CASES[name], their.get_base_model().config)
  # PEFT gives the prompt's logits, too, where they are the stack's own.
  own = method == "soft_prompt" and name != "t5"
  theirs = _logits(their, inputs, adaptation.ahead if own else 0)
  ours, paired = _ours(model, inputs), name == "t5"
  difference = _difference(ours, theirs, inputs, paired)
  moved = _difference(ours, _ours(plain, inputs), inputs, paired)
  print(f"{name} {method}: {difference:.1e}; adapted by {moved:.2f}")
  assert difference <= 1e-4
  assert moved > 0.1


def test_a_head_that_was_trained_comes_along(tmp_path):
  harness.quiet()
  config = {**BERT, "num_labels": 3}
  case = Case("BertForSequenceClassification", config, 20)
  directory = tmp_path / "theirs"
  their = harness.make_torch(case)
  their.save_pretrained(directory)
  model = adapting.model(str(directory), adapting.make("lora", **ALL))
  peft.save(model, str(tmp_path / "to"))
  inputs = family_cases.make_inputs(case, their.config)
  adapted = _theirs(case.architecture, directory, tmp_path / "to")
  ours, theirs = _ours(model, inputs), _logits(adapted, inputs)
  print(f"classification: {np.abs(ours - theirs).max():.1e}")
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
  prompt = adapting.model(str(directory), adapting.make("soft_prompt"))
  with pytest.raises(UsageError, match="PEFT saves no .*classifier"):
    peft.save(prompt, str(tmp_path / "prompt"))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["lora", "dora", "bitfit"])
def test_a_merged_export_is_the_same_model(name, method, bases, tmp_path):
  import transformers

  if (name, method) in (("llama", "bitfit"), ("t5", "bitfit")):
    with pytest.raises(UsageError, match="has no biases"):
      adapting.model(str(bases / name), adapting.make(method))
    return
  options = {} if method == "bitfit" else ALL
  model = adapting.model(
    str(bases / name), adapting.make(method, **options), scale=0.1
  )
  (to,) = export.save(model, str(tmp_path / "to"))
  cls = getattr(transformers, CASES[name].architecture)
  their = cls.from_pretrained(to, attn_implementation="eager").eval()
  inputs = family_cases.make_inputs(CASES[name], their.config)
  paired = name == "t5"
  ours = _ours(model, inputs)
  theirs = _difference(ours, _logits(their, inputs), inputs, paired)
  back = LanguageModel(load.load(to))
  again = back.logits(inputs.ids, inputs.mask, decoder_input_ids=inputs.decoder)
  print(f"{name} {method}: {theirs:.1e} {np.abs(again - ours).max():.1e}")
  assert theirs <= 1e-4
  assert _difference(ours, again, inputs, paired) <= 1e-5


def test_places_that_peft_has_not_are_refused(bases, tmp_path):
  for name, method, message in (
    ("gpt2", "adapter", "nothing that is adapter"),
    ("gpt2", "bitfit", "nothing that is bitfit"),
    ("t5", "p_tuning_v2", "causal decoders"),
    ("bert", "prefix_tuning", "causal decoders"),
  ):
    model = adapting.model(str(bases / name), adapting.make(method))
    with pytest.raises(UsageError, match=message):
      peft.save(model, str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()
