"""One model of a family in PyTorch Transformers and in lm_jax, side by side.

A case names a class of Transformers and a configuration. Everything that a
family promises is checked by `Pair`: equal logits and gradients, and a way
back that loses nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import zlib
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from lm_jax import layout
from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.devices import sharding
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import source_files
from lm_jax.hugging_face import write as write_lib
from lm_jax.hugging_face.weights import Weights, write
from lm_jax.inference import load, pooling
from lm_jax.loaded_model import Trained
from lm_jax.storage.digest import flatten
from lm_jax.training import assemble

# What a case's gradients and logits may differ by.
LOGITS = 1e-4
GRADIENTS = 1e-4


# What make_golden.py keeps of a case, and of its configuration.
INPUTS = ("length", "types", "left", "output", "shifted")
SPECIALS = (
  "vocab_size",
  "pad_token_id",
  "bos_token_id",
  "eos_token_id",
  "decoder_start_token_id",
  "is_encoder_decoder",
)
NUMBERS = 40  # of each case


def chosen(logits: np.ndarray, valid: np.ndarray) -> np.ndarray:
  """Some of the logits that have a meaning, from all over the array."""
  if logits.ndim < valid.ndim:
    valid = valid[..., 0]
  flat = logits[np.broadcast_to(valid > 0, logits.shape)]
  return flat[np.linspace(0, len(flat) - 1, NUMBERS).astype(int)]


@dataclasses.dataclass(frozen=True)
class Case:
  """A class of Transformers, its configuration, and what it is to read.

  types: number of token types to be told; 0 tells none.
  length: of the longest row; by default that of `positions` in the config.
  left: padding stands in front.
  output: the name of what is compared ("pair"); by default the class's first.
  shifted: no ids are told for the decoder: it reads those of the encoder,
    shifted by one.
  untied: a module whose weight is one of its own, whatever the configuration
    says of ties (a file of T5 1.1 has both).
  """

  architecture: str
  config: dict[str, Any]
  length: int
  types: int = 0
  left: bool = False
  name: str = ""
  output: str = ""
  shifted: bool = False
  untied: str = ""

  def __str__(self) -> str:
    return (
      f"{self.architecture}-{self.name}" if self.name else self.architecture
    )


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
  """A parameter's values: a function of its name, the same everywhere.

  Such that activations and logits are of order 1, and nothing is trivial.
  """
  bits = np.random.PCG64(zlib.crc32(name.encode()))
  count = int(np.prod(shape))
  uniform = (bits.random_raw(2 * count) >> 11).reshape(2, count) * 2.0**-53
  radius = np.sqrt(-2 * np.log1p(-uniform[0]))  # Box and Muller 1958
  noise = (radius * np.cos(2 * np.pi * uniform[1])).reshape(shape)
  if len(shape) >= 2:
    return (noise * shape[-1] ** -0.5).astype(np.float32)
  parts = name.lower().split(".")
  is_norm = any("norm" in p or p.startswith("ln_") for p in parts[-2:])
  middle = 1.0 if is_norm and parts[-1] == "weight" else 0.0
  return (middle + 0.2 * noise).astype(np.float32)


def draw_all(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
  """All parameters of a model of theirs; of two equal tables, both."""
  found = {}
  for name, shape in shapes.items():
    # Untied, BART's stacks have tables of their own, and ours have one.
    source = re.sub(r"(en|de)coder\.embed_tokens\.", "shared.", name)
    found[name] = draw(source, shape)
  return found


def make_torch(case: Case) -> Any:
  """A random model whose logits are of order 1, in evaluation mode."""
  import torch
  import transformers

  cls = getattr(transformers, case.architecture)
  config = cls.config_class(**case.config)
  config._attn_implementation = "eager"
  model = cls(config).eval().float()
  if case.untied:
    module = model.get_submodule(case.untied)
    module.weight = torch.nn.Parameter(module.weight.clone())
  with torch.no_grad():
    drawn = dict(model.named_parameters())
    # BART keeps its bias as a buffer.
    drawn |= {
      name: buffer
      for name, buffer in model.named_buffers()
      if name.endswith("final_logits_bias")
    }
    # What is tied has the name that it is saved by.
    every = dict(model.named_parameters(remove_duplicate=False))
    for name, source in model.all_tied_weights_keys.items():
      if name in drawn and drawn[name] is every[source]:
        drawn[source] = drawn.pop(name)
    values = draw_all({name: tuple(x.shape) for name, x in drawn.items()})
    for name, parameter in drawn.items():
      parameter.copy_(torch.tensor(values[name]))
  return model


@dataclasses.dataclass
class Inputs:
  """What both read: int64 arrays [B, T]; the decoder's may be None.

  output: what is compared; "" for the first that the class gives.
  shifted: the decoder's are not told to the class, which makes the same.
  """

  ids: np.ndarray
  mask: np.ndarray
  types: np.ndarray | None = None
  decoder: np.ndarray | None = None
  output: str = ""
  shifted: bool = False


def make_inputs(case: Case, config: Any, seed: int = 0) -> Inputs:
  """A full row, one with padding, and a short one."""
  rng = np.random.default_rng(seed)
  length, pad = case.length, config.pad_token_id
  mask = np.ones((3, length), np.int64)
  mask[1, length - length // 3 :] = 0
  mask[2, 3:] = 0
  # No special token inside: RoBERTa tells positions by the padding's id.
  least = 1 + max(
    i
    for i in (
      pad,
      getattr(config, "bos_token_id", None),
      config.eos_token_id,
      getattr(config, "decoder_start_token_id", None),
      2,
    )
    if isinstance(i, int) and i < config.vocab_size // 2
  )
  ids = rng.integers(least, config.vocab_size, mask.shape)
  if isinstance(pad, int):
    ids = np.where(mask > 0, ids, pad)
  types = None
  if case.types:
    types = rng.integers(0, case.types, mask.shape)
  if case.left:
    order = np.argsort(mask, axis=1, kind="stable")
    ids, mask = (np.take_along_axis(x, order, 1) for x in (ids, mask))
  decoder = None
  if getattr(config, "is_encoder_decoder", False):
    last = length - 1 - mask[:, ::-1].argmax(1)
    ids[np.arange(3), last] = config.eos_token_id
    start = getattr(config, "decoder_start_token_id", None)
    if start is None:  # mBART starts from the text's last token
      start = config.eos_token_id
    decoder = rng.integers(least, config.vocab_size, (3, length - 1))
    if case.shifted:
      decoder = np.roll(ids, 1, axis=1)
    decoder[:, 0] = start
  return Inputs(ids, mask, types, decoder, case.output, case.shifted)


def torch_logits(model: Any, inputs: Inputs) -> Any:
  """Their logits: the first of what the class gives."""
  import torch

  given = {
    "input_ids": torch.tensor(inputs.ids),
    "attention_mask": torch.tensor(inputs.mask),
  }
  if inputs.types is not None:
    given["token_type_ids"] = torch.tensor(inputs.types)
  told = inputs.decoder is not None and not inputs.shifted
  if told and "decoder_input_ids" in signature(model):
    given["decoder_input_ids"] = torch.tensor(inputs.decoder)
  if "mc_token_ids" in signature(model):  # where GPT's choice is read
    given["mc_token_ids"] = torch.tensor(inputs.mask.sum(1) - 1)
  if "use_cache" in signature(model):
    given["use_cache"] = False
  if type(model).__name__.endswith("ForMultipleChoice"):  # of one
    given = {name: x[:, None] for name, x in given.items()}
  out = model(**given)
  if "start_logits" in out:
    return torch.stack([out["start_logits"], out["end_logits"]], dim=-1)
  names = ("logits", "prediction_logits", "pooler_output")
  if inputs.output == "choice":
    return out["mc_logits"][:, None]
  if inputs.output == "pair":
    names = ("seq_relationship_logits", "sop_logits")
  for name in names:
    if out.get(name) is not None:
      return out[name]
  return out["last_hidden_state"]


def signature(model: Any) -> set[str]:
  import inspect

  return set(inspect.signature(model.forward).parameters)


def valid(inputs: Inputs, shape: tuple[int, ...], paired: bool) -> np.ndarray:
  """Where logits of a shape have a meaning: [B, T, 1], or [B, 1] for texts.

  paired: they are those of a decoder that has an encoder.
  """
  if len(shape) == 2 and shape[1] != inputs.mask.shape[1]:
    return np.ones((shape[0], 1))
  mask = inputs.mask
  if inputs.decoder is not None and paired:
    mask = np.ones_like(inputs.decoder)
    if inputs.shifted:  # PyTorch's embedding has no gradient on padding
      mask[:, 1:] = inputs.mask[:, :-1]
  return mask[:, :, None]


class Pair:
  """A directory that Transformers wrote, read by both.

  Args:
    directory: of theirs.
    their: the PyTorch model.
  """

  def __init__(self, directory: pathlib.Path, their: Any):
    self.directory, self.their = directory, their
    candidates = read_lib.describe(directory)
    with Weights(directory) as weights:
      self.model = read_lib.match(candidates, weights)
      mesh = sharding.make_mesh()
      self.params = read_lib.parameters(self.model, weights, mesh)

  def forward(self, inputs: Inputs):
    """A function of our parameters: logits as theirs, float32."""
    model, network = self.model, self.model.network()
    encoder_decoder = model.trunk.architecture == "encoder_decoder"
    mask = "causal" if model.trunk.architecture == "causal_decoder" else "full"
    types = None
    if inputs.types is not None:
      types = jnp.asarray(inputs.types, jnp.int32)
    read = layout.stream(
      jnp.asarray(inputs.ids, jnp.int32),
      jnp.asarray(inputs.mask, jnp.int32),
      mask,
      type_BxT=types,
    )
    source = None
    if encoder_decoder:
      decoder = jnp.asarray(inputs.decoder, jnp.int32)
      source = read
      read = layout.stream(decoder, jnp.ones_like(decoder), "causal")
    name = inputs.output or next(iter(model.outputs), "")
    end = self.their.config.eos_token_id

    def run(net):
      if not name:
        return net.hidden(read, source)
      return pooling.logits(
        net, read, source, name, model.outputs[name], end or -1
      )

    apply = nn.apply(run, network)

    def logits(params):
      with jax.default_matmul_precision("highest"):
        out = apply({"params": params})
      return out

    return logits

  def valid(self, inputs: Inputs, shape: tuple[int, ...]) -> np.ndarray:
    """Where logits have a meaning: [B, T, 1], or [B, 1] for texts."""
    paired = self.model.trunk.architecture == "encoder_decoder"
    return valid(inputs, shape, paired)

  def logits_difference(self, inputs: Inputs) -> float:
    """The largest absolute difference; logits must be of order 1."""
    import torch

    with torch.no_grad():
      theirs = torch_logits(self.their, inputs).numpy()
    ours = np.asarray(jax.jit(self.forward(inputs))(self.params))
    ours = ours.reshape(theirs.shape)
    valid = self.valid(inputs, ours.shape)
    if ours.ndim < valid.ndim:
      valid = valid[..., 0]
    spread = theirs[np.broadcast_to(valid > 0, theirs.shape)].std()
    assert 0.05 < spread < 5, f"logits are not of order 1: {spread}"
    return float(np.abs((ours - theirs) * valid).max())

  def gradient_difference(self, inputs: Inputs) -> float:
    """The largest of ||difference|| / max(||g||, 1e-3 global norm)."""
    import torch

    logits = torch_logits(self.their, inputs)
    rng = np.random.default_rng(1)
    pull = rng.normal(size=tuple(logits.shape)) / np.prod(logits.shape[:-1])
    valid = self.valid(inputs, tuple(logits.shape))
    if pull.ndim < valid.ndim:
      valid = valid[..., 0]
    pull = (pull * valid).astype(np.float32)
    self.their.zero_grad()
    # A loss that is not linear in the logits, and that every one bears on.
    loss = (torch.tanh(logits) * torch.tensor(pull)).sum()
    loss.backward()
    # What they have twice, tied or not, is one tensor of ours: the gradient is
    # the sum.
    family, trunk = self.model.family, self.model.trunk
    names = self.model.copies() | dict(self.model.moved)
    names |= family.duplicates(trunk)
    theirs: dict[str, np.ndarray] = {}
    for name, p in self.their.named_parameters():
      if p.grad is not None:
        key = names.get(name, name)
        theirs[key] = theirs.get(key, 0) + p.grad.numpy()
    forward = self.forward(inputs)

    def ours_loss(params):
      ours = forward(params).reshape(pull.shape)
      return jnp.sum(jnp.tanh(ours) * pull)

    grads = jax.jit(jax.grad(ours_loss))(self.params)
    ours = {
      name: make() for name, _, _, make in write_lib.tensors(self.model, grads)
    }
    whole = np.sqrt(sum(float((g**2).sum()) for g in theirs.values()))
    worst = 0.0
    for name, theirs_g in theirs.items():
      difference = np.linalg.norm(ours[name] - theirs_g)
      scale = max(np.linalg.norm(theirs_g), 1e-3 * whole)
      worst = max(worst, float(difference / scale))
    return worst

  def way_back(self, directory: pathlib.Path, inputs: Inputs) -> dict[str, Any]:
    """Writes it again and lets Transformers read it.

    Returns:
      keys missing and unexpected, tensors whose bytes differ in the file or
      once they are read, and the difference of the logits.
    """
    import shutil

    import torch
    from safetensors import numpy as safetensors

    directory.mkdir()
    shutil.copy(self.directory / "config.json", directory)
    with Weights(self.directory) as weights:
      unused = self.model.unused(weights.names())
    with source_files.unused(self.directory, unused) as kept:
      write(directory, write_lib.tensors(self.model, self.params, kept=kept))
    cls = type(self.their)
    other, info = cls.from_pretrained(
      directory, output_loading_info=True, attn_implementation="eager"
    )
    before = safetensors.load_file(self.directory / "model.safetensors")
    after = safetensors.load_file(directory / "model.safetensors")
    copies = self.model.copies()
    lost = [n for n in before if n not in after and n not in copies]
    changed = lost + [
      name
      for name in after
      if name not in before or before[name].tobytes() != after[name].tobytes()
    ]
    read = other.state_dict()
    changed += [
      name
      for name, tensor in self.their.state_dict().items()
      if name not in read or not torch.equal(tensor, read[name])
    ]
    with torch.no_grad():
      one = torch_logits(self.their, inputs)
      two = torch_logits(other.eval(), inputs)
    return {
      "missing": sorted(info["missing_keys"]),
      "unexpected": sorted(info["unexpected_keys"]),
      "changed": changed,
      "logits": float((one - two).abs().max()),
    }


def pair(case: Case, directory: pathlib.Path) -> tuple[Pair, Inputs]:
  """A case as a Pair, and what it reads."""
  their = make_torch(case)
  their.save_pretrained(directory)
  return Pair(directory, their), make_inputs(case, their.config)


def untrained(config: Config) -> Trained:
  """The model of a run that has not begun, with parameters drawn by name."""
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  shapes = flatten(program.abstract.params).items()
  leaves = {name: jnp.asarray(draw(name, leaf.shape)) for name, leaf in shapes}
  params = unflatten_dict(leaves, sep=".")
  return load.from_plan(config, dataset.tokenizer, program.plan, params)


def whole(cls: Any, directory: str | pathlib.Path) -> Any:
  """A model as their class reads it, which finds every tensor and no more."""
  model, info = cls.from_pretrained(
    directory, output_loading_info=True, attn_implementation="eager"
  )
  assert not info["missing_keys"] and not info["unexpected_keys"]
  return model.eval()


@functools.cache
def quiet() -> None:
  import transformers

  transformers.utils.logging.set_verbosity_error()
  transformers.utils.logging.disable_progress_bar()


def check(case: Case, directory: pathlib.Path) -> None:
  """All that a family promises, for one case; prints what was measured."""
  quiet()
  both, inputs = pair(case, directory / "theirs")
  logits = both.logits_difference(inputs)
  gradients = both.gradient_difference(inputs)
  back = both.way_back(directory / "back", inputs)
  print(f"{case}: logits {logits:.1e}, gradients {gradients:.1e}, {back}")
  assert logits <= LOGITS
  assert gradients <= GRADIENTS
  # Of equal parameters PyTorch gives other last bits where they lie on
  # another border in memory: a head of one logit is a product of vectors.
  assert back.pop("logits") <= 1e-6
  assert back == {"missing": [], "unexpected": [], "changed": []}
  trunk = both.model.trunk
  assert write_lib.misfits(both.model.family, trunk) == []
