"""The interface of a family of pretrained models: one file beside this one.

A family says which trunk a config.json of Hugging Face Transformers means, and
which of the tensors there holds which of our parameters. Everything is said
once, in tables, and used both ways. To add one, write one new file with one
subclass of Family.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _table, _template
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.types import ABSENT, Head, Specials, Trunk

# Where our parameters are, by dotted path.
EMBEDDER = "embedder_main"
BLOCKS = "stack_main.blocks"
ENCODER = "stack_main.encoder"
OUTPUT = "output_main"
# What is no head but the output over the vocabulary.
VOCABULARY = "vocabulary"
# The projections of Trunk.bias_except.
ATTENTION: tuple[Any, ...] = ("qkv", "out")
MLP: tuple[Any, ...] = ("up", "down")


@dataclasses.dataclass(frozen=True)
class Tensor:
  """A tensor of Transformers, and the parameters of lm_jax that it holds.

  Read from the first to the second: a reshape, a transposition, a cut. Rules
  for parameters that a model lacks have no effect, so a family may name biases
  that only some configurations have.

  theirs: its name, without the prefix of the base model.
  ours: dotted paths; several ones lie side by side along their last axis.
  transpose: the tensor is [out, in], as in torch.nn.Linear.
  shape: of the tensor, where it is another shape of the same numbers.
  top: it stands on the base model, whose prefix does not apply.
  """

  theirs: str
  ours: tuple[str, ...]
  transpose: bool = False
  shape: tuple[int, ...] | None = None
  top: bool = False


def same(theirs: str, *ours: str, **kwargs: Any) -> list[Tensor]:
  """Maps a tensor to a parameter, or to several side by side."""
  return [Tensor(theirs, ours, **kwargs)]


def linear(
  theirs: str, *ours: str, transpose: bool = True, top: bool = False
) -> list[Tensor]:
  """Maps torch.nn.Linear, "x.weight" [out, in] and "x.bias", to Dense."""
  kernels, biases = (
    tuple(f"{o}.{part}" for o in ours) for part in ("kernel", "bias")
  )
  return [
    Tensor(f"{theirs}.weight", kernels, transpose, top=top),
    Tensor(f"{theirs}.bias", biases, top=top),
  ]


def norm(theirs: str, ours: str, **kwargs: Any) -> list[Tensor]:
  """Maps a norm's weight and bias, where it has one."""
  return [
    *same(f"{theirs}.weight", f"{ours}.scale", **kwargs),
    *same(f"{theirs}.bias", f"{ours}.bias", **kwargs),
  ]


def modules(
  theirs: str, ours: str, table: Mapping[str, str], transpose: bool = True
) -> Iterable[Tensor]:
  """Maps several modules by a table of their names.

  Our name tells its kind: "..._norm" is a norm, "..._embedding" a table, and
  anything else a linear map; several of these lie side by side, "key value".

  Args:
    theirs: what stands before the names of Transformers.
    ours: what stands before our names.
    table: our names by those of Transformers.
    transpose: whether linear maps are [out, in].
  """
  for name, targets in table.items():
    paths = [ours + target for target in targets.split()]
    if targets.endswith("norm"):
      yield from norm(theirs + name, *paths)
    elif targets.endswith("embedding"):
      yield from same(f"{theirs}{name}.weight", *paths)
    else:
      yield from linear(theirs + name, *paths, transpose=transpose)


def stack_tables(*prefixes: str) -> dict[str, str]:
  """Returns both stacks' names of the table of tokens that they share."""
  return {
    f"{prefix}{stack}.embed_tokens.weight": f"{prefix}shared.weight"
    for prefix in prefixes
    for stack in ("encoder", "decoder")
  }


def standard_heads(
  labels: int, text: Head, token: Head | None = None
) -> dict[str, Head]:
  """Returns the heads that most families have.

  text, token: heads of any size that read a whole text, and each token.
  """
  token = token or Head(0)
  return {
    "classification": dataclasses.replace(text, size=labels),
    "choice": dataclasses.replace(text, size=1),
    "tokens": dataclasses.replace(token, size=labels),
    "span": dataclasses.replace(token, size=2),
  }


class Family:
  """The tables of a family; see lm_jax/families/bert.py for an example."""

  # As a sentence calls it: "BERT".
  title: ClassVar[str]
  # The config.json's model_type; the first one is written.
  model_types: ClassVar[tuple[str, ...]]
  # What its tokenizer puts around texts, and what it calls special tokens.
  template: ClassVar[_template.Template]
  # Before the base model's tensors where a head stands on it: "bert.".
  prefix: ClassVar[str] = ""
  # Of classes that have another one.
  prefixes: ClassVar[Mapping[str, str]] = {}
  # Classes of Transformers and what stands on the trunk: "vocabulary" and
  # heads by name; "pooler?" may be absent.
  classes: ClassVar[Mapping[str, tuple[str, ...]]]
  # Classes whose tensors carry no prefix, besides the bare models.
  base_classes: ClassVar[tuple[str, ...]] = ()
  # Where a decoder reads the encoder's text: does it begin with that text's
  # last token (mBART: the language) instead of the start token?
  starts_with_last: ClassVar[bool] = False
  # Classes that are not of the family's usual architecture.
  encoders: ClassVar[tuple[str, ...]] = ()
  # The objective that an imported model goes on with, and those whose runs
  # are written as this family unless another is named.
  objective: ClassVar[str]
  writes: ClassVar[tuple[str, ...]] = ()
  # What a config.json means that does not name its special tokens.
  token_defaults: ClassVar[Mapping[str, int]] = {}
  # The keys of special tokens that are written, and their fields of Specials.
  token_keys: ClassVar[Mapping[str, str]] = {
    "pad_token_id": "pad",
    "bos_token_id": "boundary",
    "eos_token_id": "end",
  }
  # Tensors in old files that are no parameters, as regular expressions.
  ignored: ClassVar[tuple[str, ...]] = ()

  # The keys of config.json that are read and written, in the order written.
  rows: ClassVar[Mapping[str, Row]]
  # The options of all models of the family.
  fixed: ClassVar[Trunk]
  # Defaults that differ from those of `rows`, by key.
  defaults: ClassVar[Mapping[str, Any]] = {}
  # Transformers' second names of keys.
  second_names: ClassVar[Mapping[str, str]] = {}
  # Keys that have one supported value.
  required: ClassVar[Mapping[str, Any]] = {}

  # The base model's modules before the layers, in each layer and after all,
  # see `modules`; a {} in `layer` is the layer's number.
  first: ClassVar[Mapping[str, str]] = {}
  layer: ClassVar[str] = ""
  parts: ClassVar[Mapping[str, str]] = {}
  last: ClassVar[Mapping[str, str]] = {}
  # Are the linear maps of layers [out, in]?
  transpose: ClassVar[bool] = True
  # The modules of the output over the vocabulary: a transform, its norm, and
  # the table.
  output: ClassVar[tuple[str, str, str]] = ("", "", "lm_head")
  # The name of the output's bias where the table is tied, if it is another.
  tied_bias: ClassVar[str] = ""
  # The dense layer, part of the base model, that heads read by default.
  pooler: ClassVar[str] = ""
  # The modules of heads that are not the usual ones: a dense layer, or "" for
  # the pooler, and the last.
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {}
  # The head that reads a whole text, but for its size.
  text_head: ClassVar[Head] = Head(0)

  @property
  def bare_classes(self) -> tuple[str, ...]:
    """The classes whose tensors carry no prefix, the bare models first."""
    bare = (x for x, on_it in self.classes.items() if set(on_it) <= {"pooler?"})
    return (*bare, *self.base_classes)

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    """Returns the objective by which an imported model is trained further."""
    is_part = trunk.architecture == "encoder" and self.encoders
    return "mlm" if is_part else self.objective

  def trunk(self, fields: Fields) -> Trunk:
    """Returns the trunk that a configuration means.

    Raises:
      UsageError: a field is missing, or asks for what is not supported.
    """
    if self.defaults:
      fields = fields.otherwise(**self.defaults)
    fields = fields.renamed(self.second_names)
    fields.require(**self.required)
    return _table.trunk(self.rows, fields, self.fixed)

  def config(self, trunk: Trunk) -> dict[str, Any]:
    """Returns the configuration that means the trunk, as far as one can.

    Where it does not fit, reading it again gives another trunk, and the user
    sees the differences.
    """
    return _table.config(self.rows, trunk)

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    """Returns the meanings that a configuration may have, likeliest first.

    The tensors of a file decide which one it is.
    """
    return (trunk,)

  def heads(self, fields: Fields) -> dict[str, Head]:
    """Returns every head that `classes` names, as a configuration sizes it."""
    return standard_heads(fields.labels(), self.text_head)

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    """Yields the rules of the base model's tensors."""
    yield from modules("", "", self.first)
    for i in range(trunk.layers):
      theirs, ours = self.layer.format(i), f"{BLOCKS}.layer_{i}."
      yield from modules(theirs, ours, self.parts, self.transpose)
    yield from modules("", "", self.last)

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    """Yields the rules of the vocabulary or of a head, by its name."""
    if name == VOCABULARY:
      transform, its_norm, table = self.output
      bias = (
        self.tied_bias if trunk.tied and self.tied_bias else f"{table}.bias"
      )
      yield from linear(transform, f"{OUTPUT}.transform", top=True)
      yield from norm(its_norm, f"{OUTPUT}.norm", top=True)
      yield from same(bias, f"{OUTPUT}.bias", top=True)
      yield from same(f"{table}.weight", f"{OUTPUT}.embedding", top=True)
      return
    usual = ("", "qa_outputs" if name == "span" else "classifier")
    dense, out = self.head_modules.get(name, usual)
    ours = f"heads_{name}"
    yield from linear(dense or self.pooler, f"{ours}.dense", top=bool(dense))
    yield from linear(out, f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    """Returns the names under which a file may hold a tensor again.

    Each maps to the tensor's name; both are whole, with the prefix in front
    where it applies.
    """
    if not trunk.tied:
      return {}
    ours = (f"{EMBEDDER}.embedding",)
    table = next(x.theirs for x in self.tensors(trunk) if x.ours == ours)
    bias = {f"{self.output[2]}.bias": self.tied_bias} if self.tied_bias else {}
    return bias | {f"{self.output[2]}.weight": self.prefix + table}

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    """Returns those like `copies` that Transformers misses in a file."""
    if trunk.tied or not self.tied_bias:
      return {}
    return {self.tied_bias: f"{self.output[2]}.bias"}

  def tokens(self, specials: Specials) -> dict[str, int]:
    """Returns the fields that name special tokens, for a configuration."""
    ids = {key: getattr(specials, x) for key, x in self.token_keys.items()}
    return {key: i for key, i in ids.items() if i != ABSENT}

  def specials(self, fields: Fields) -> Specials:
    """Returns the special tokens as a configuration names them.

    That is enough to read ids without a tokenizer: where a text ends, what a
    decoder begins with.

    Raises:
      UsageError: a field names no id, or the decoder begins with an id beyond
        the vocabulary. (Other ids may be: small models keep the ids of large
        ones, which none of their texts holds.)
    """

    def named(*names: str) -> int:
      for name in names:
        i = fields.token_id(name, self.token_defaults.get(name, ABSENT))
        if i != ABSENT:
          return i
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
