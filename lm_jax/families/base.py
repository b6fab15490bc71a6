"""The interface of a family of pretrained models: one file beside this one.

A family tells which trunk a config.json of Hugging Face Transformers means,
which config.json a trunk means, and which of their tensors holds which of our
parameters. Everything is said once and used both ways. To add one, write one
new file with one subclass of Family.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families._template import Template
from lm_jax.types import ABSENT, Head, Specials, Trunk

# Where our parameters are, by dotted path.
EMBEDDER = "embedder_main"
BLOCKS = "stack_main.blocks"
ENCODER = "stack_main.encoder"
OUTPUT = "output_main"
# What is no head but the output over the vocabulary.
VOCABULARY = "vocabulary"


@dataclasses.dataclass(frozen=True)
class Tensor:
  """A tensor of theirs, and the parameters of ours that it holds.

  Read from theirs to ours: a reshape, a transposition, a cut. Rules for
  parameters that a model lacks have no effect, so a family may name biases
  that only some configurations have.

  theirs: its name, without the prefix of the base model.
  ours: dotted paths; several ones lie side by side along `axis` of ours.
  transpose: theirs is [out, in], as in torch.nn.Linear.
  shape: of theirs, where it is another shape of the same numbers.
  top: it stands on the base model, whose prefix does not apply.
  """

  theirs: str
  ours: tuple[str, ...]
  transpose: bool = False
  axis: int = -1
  shape: tuple[int, ...] | None = None
  top: bool = False


def same(theirs: str, *ours: str, **kwargs: Any) -> list[Tensor]:
  """A tensor that is a parameter, or several side by side."""
  return [Tensor(theirs, ours, **kwargs)]


def linear(theirs: str, *ours: str, **kwargs: Any) -> list[Tensor]:
  """torch.nn.Linear, "x.weight" [out, in] and "x.bias", as Dense."""
  kwargs = {"transpose": True} | kwargs
  return [
    Tensor(f"{theirs}.weight", tuple(f"{o}.kernel" for o in ours), **kwargs),
    *same(
      f"{theirs}.bias",
      *(f"{o}.bias" for o in ours),
      top=kwargs.get("top", False),
    ),
  ]


def norm(theirs: str, ours: str, **kwargs: Any) -> list[Tensor]:
  """A norm's weight and bias, where it has one."""
  return [
    *same(f"{theirs}.weight", f"{ours}.scale", **kwargs),
    *same(f"{theirs}.bias", f"{ours}.bias", **kwargs),
  ]


class Family:
  """What every family has; see lm_jax/families/bert.py for an example."""

  # As a sentence calls it: "BERT".
  title: ClassVar[str]
  # The config.json's model_type; the first one is written.
  model_types: ClassVar[tuple[str, ...]]
  # What its tokenizer puts around texts, and what it calls special tokens.
  template: ClassVar[Template]
  # Before the base model's tensors where a head stands on it: "bert.".
  prefix: ClassVar[str] = ""
  # Of classes that have another one.
  prefixes: ClassVar[Mapping[str, str]] = {}
  # Classes of Transformers and what stands on the trunk: "vocabulary" and
  # heads by name; "pooler?" may be absent.
  classes: ClassVar[Mapping[str, tuple[str, ...]]]
  # Classes whose tensors carry no prefix: the bare models.
  base_classes: ClassVar[tuple[str, ...]] = ()
  # Where a decoder reads the encoder's text: does it begin with that text's
  # last token (mBART: the language) instead of the start token?
  starts_with_last: ClassVar[bool] = False
  # Classes that are not of the family's usual architecture.
  encoders: ClassVar[tuple[str, ...]] = ()
  # The objective that an imported model goes on with, and those whose runs
  # are written as this family unless told otherwise.
  objective: ClassVar[str]
  writes: ClassVar[tuple[str, ...]] = ()
  # What a config.json means that does not name its special tokens.
  token_defaults: ClassVar[Mapping[str, int]] = {}
  # Tensors in old files that are no parameters, as regular expressions.
  ignored: ClassVar[tuple[str, ...]] = ()

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    """The objective by which an imported model is trained further."""
    is_part = trunk.architecture == "encoder" and self.encoders
    return "mlm" if is_part else self.objective

  def trunk(self, fields: Fields) -> Trunk:
    """The trunk that a configuration means.

    Raises:
      UsageError: a field is missing, or asks for what is not supported.
    """
    raise NotImplementedError

  def config(self, trunk: Trunk) -> dict[str, Any]:
    """The configuration that means the trunk, as far as one can.

    Where it does not fit, reading it again gives another trunk, and the
    differences are told to the user.
    """
    raise NotImplementedError

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    """What a configuration may mean, its own trunk first: the tensors tell."""
    return (trunk,)

  def heads(self, fields: Fields) -> dict[str, Head]:
    """Every head that `classes` names, of the sizes of a configuration."""
    return {}

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    """Of the base model."""
    raise NotImplementedError

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    """Of the vocabulary or of a head, by its name."""
    raise NotImplementedError

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    """Names under which a file may hold a tensor again, and its name.

    Both are whole names, with the prefix in front where it applies.
    """
    return {}

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    """As `copies`, of those that Transformers misses where they are not."""
    return {}

  def tokens(self, specials: Specials) -> dict[str, int]:
    """The fields that name special tokens, for a configuration."""
    return token_ids(
      pad_token_id=specials.pad,
      bos_token_id=specials.boundary,
      eos_token_id=specials.end,
    )

  def specials(self, fields: Fields) -> Specials:
    """The special tokens as a configuration names them, without a tokenizer.

    That is enough to read ids: where a text ends, what a decoder begins with.

    Raises:
      UsageError: what is named is no id, or what the decoder begins with none
        of the vocabulary. (Another part may be: small models keep the
        ids of large ones, which no text of theirs holds.)
    """

    def named(*names: str) -> int:
      for name in names:
        default = self.token_defaults.get(name, ABSENT)
        found = fields.token_id(name, default)
        if found != ABSENT:
          return found
      return ABSENT

    end = named("eos_token_id", "sep_token_id")
    boundary = named("cls_token_id", "bos_token_id")
    return Specials(
      pad=max(named("pad_token_id"), 0),
      unknown=ABSENT,
      boundary=boundary,
      end=end,
      separator=named("sep_token_id"),
      mask=named("mask_token_id"),
      regular=ABSENT,
      sequential=ABSENT,
      extreme=ABSENT,
      first_sentinel=ABSENT,
      sentinels=0,
      start=fields.decoder_start(
        named("decoder_start_token_id", "bos_token_id")
      ),
      before=(),
    )


def token_ids(**ids: int) -> dict[str, int]:
  """Those that are not absent."""
  return {name: i for name, i in ids.items() if i != ABSENT}
