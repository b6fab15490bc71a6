"""One model of a family in PyTorch Transformers and in lm_jax, side by side.

A case names a class of Transformers and a configuration. Everything that a
family promises is checked by `Pair`: equal logits and gradients, and a way
back that loses nothing.
"""

from __future__ import annotations

import functools
import inspect
import pathlib
import shutil
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from family_cases import Case, Inputs, draw, draw_all, make_inputs, valid
from flax.traverse_util import unflatten_dict
from safetensors import numpy as safetensors

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
  return set(inspect.signature(model.forward).parameters)


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
    import torch

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
