"""Source and target languages against Transformers' tokenizers and generate."""

import json

import foreign_directories
import numpy as np
import pytest

from lm_jax.generation import languages, prompts
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.inference import load
from lm_jax.support.errors import UsageError

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]
TEXT = "the quick brown fox jumps over the lazy dog"
# By directory: a source and a target, and English names of them.
PAIRS = {
  "m2m_100": (("de", "zh"), ("German", "chinese")),
  "mbart": (("de_DE", "ro_RO"), ("German", "Romanian")),
  "mbart50": (("de_DE", "uk_UA"), ("German", "Ukrainian")),
}


@pytest.fixture(scope="module", params=PAIRS)
def both(request, tmp_path_factory):
  """The name; the tokenizer and the model of Transformers; ours."""
  torch = pytest.importorskip("torch")
  import transformers

  folder = tmp_path_factory.mktemp("languages") / request.param
  # Or Transformers ends an mBART's text with it where no more is allowed.
  foreign_directories.build(request.param, folder, forced_eos_token_id=None)
  config = json.loads((folder / "config.json").read_text())
  torch.manual_seed(0)
  kind = getattr(transformers, config["architectures"][0])
  model = kind(kind.config_class(**config)).eval()
  with torch.no_grad():
    for parameter in model.parameters():
      if parameter.ndim > 1:
        parameter.mul_(32.0)
  model.save_pretrained(folder)
  theirs = transformers.AutoTokenizer.from_pretrained(folder)
  return request.param, theirs, model, Generator(load.load(str(folder)))


def test_the_source_s_token_is_where_transformers_puts_it(both):
  name, theirs, _, generator = both
  for source, target in PAIRS[name]:
    model, options, decoder = languages.between(
      generator.model, Generation(), source, target
    )
    theirs.src_lang = PAIRS[name][0][0]
    assert prompts.encode(model, [TEXT], 0, "")[0] == theirs.encode(TEXT)
    code = PAIRS[name][0][1]
    code = f"__{code}__" if name == "m2m_100" else code
    forced = theirs.convert_tokens_to_ids(code)
    assert forced not in (None, theirs.unk_token_id)
    found = decoder if name == "mbart" else (options.forced_bos_token_id,)
    assert found == (forced,)
  # Every other language, too.
  for each, i in generator.model.tokenizer.languages.items():
    theirs.src_lang = each
    assert languages.token(generator.model, each, "--x") == i
    model, *_ = languages.between(generator.model, Generation(), each, "")
    assert prompts.encode(model, [TEXT], 0, "")[0] == theirs.encode(TEXT)


def test_a_translation_token_for_token(both):
  import torch

  name, theirs, model, generator = both
  (source, target), _ = PAIRS[name]
  theirs.src_lang = source
  inputs = theirs(TEXT, return_tensors="pt")
  code = theirs.convert_tokens_to_ids(
    f"__{target}__" if name == "m2m_100" else target
  )
  # mBART's decoder begins with the language, as in its documentation.
  how = "decoder_start_token_id" if name == "mbart" else "forced_bos_token_id"
  with torch.no_grad():
    expected = model.generate(
      **inputs, max_new_tokens=20, do_sample=False, num_beams=1, **{how: code}
    )[0].tolist()
  asked = Generation(max_new_tokens=20)
  found = generator.generate(
    [TEXT], asked, source_language=source, target_language=target
  )[0]
  assert found.ids == expected[1:]
  assert len(set(expected)) > 3
  plain = generator.generate([TEXT], asked)[0]
  assert plain.ids != found.ids
  assert np.asarray(found.ids).max() < generator.model.spec.vocabulary


def test_what_is_no_language(both):
  name, _, _, generator = both
  with pytest.raises(UsageError, match=r"--target_language=xx: .*Valid: a"):
    generator.generate([TEXT], Generation(), target_language="xx")
  asked = Generation(forced_bos_token_id=5)
  with pytest.raises(UsageError, match="does not go with --target_language"):
    generator.generate([TEXT], asked, target_language=PAIRS[name][0][1])
