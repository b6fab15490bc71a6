"""Models from Python, with arguments as Transformers users know them.

lm = lm_jax.load("runs/clm-seed0")  # or a Hugging Face directory
lm.score(["The state of the Union is strong."])
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from lm_jax import loaded_model
from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.generation import read_options
from lm_jax.hugging_face import pretrained
from lm_jax.inference import compiled
from lm_jax.inference import inputs as inputs_lib
from lm_jax.inference import load as load_lib
from lm_jax.inference import score as score_lib
from lm_jax.inference.score import Scorer, for_measuring
from lm_jax.loaded_model import Trained
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.types import Array

if TYPE_CHECKING:
  from lm_jax.evaluation.results import Evaluation
  from lm_jax.generation.generate import Generator
  from lm_jax.generation.infill import Candidate, Filler


def load(path: str | os.PathLike) -> LanguageModel:
  """The model of a run, as its last whole checkpoint has it, or of theirs.

  Args:
    path: a run directory, or a Hugging Face directory of one of
      `list families`, which is read as it is.

  Raises:
    UsageError: neither of them, or it cannot be read.
  """
  path = os.path.expanduser(os.fspath(path))
  return LanguageModel(load_lib.load(path, "path"))


def evaluate(
  model: str | os.PathLike | LanguageModel,
  tasks: str | Sequence[str] = (),
  task_data: Mapping[str, str | os.PathLike] | None = None,
  **options: Any,
) -> Evaluation:
  """Measures a model by tasks; writes nothing unless it is told to.

  `evaluate("runs/clm", ["sst2"], shots=(0, 4))["sst2/4 shots/accuracy"]`.

  Args:
    model: what `load` gave, or a directory that it takes.
    tasks: by name; none means those that need nothing but the model, or what
      it was fine-tuned for.
    task_data: where a task's local files lie, by its name.
    **options: flags of `launch.py evaluate`: shots=(0, 4), template="...",
      limit=100, seed=0, workdir="...", predictions="...", ...

  Returns:
    the numbers by name, as a mapping; `.rows` has their intervals and how they
    were measured, `.predictions` what was said to each item.

  Raises:
    UsageError: as `load`, an unknown task or option, a task that the model
      can't do, or the run's corpus is gone or has changed.
  """
  from lm_jax.evaluation import evaluate as evaluate_lib
  from lm_jax.evaluation import flags
  from lm_jax.evaluation.subject import Subject

  names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
  places = {name: os.fspath(path) for name, path in (task_data or {}).items()}
  if isinstance(model, LanguageModel):
    subject = Subject(model._model, model._model.source)
    chosen = flags.from_values(subject.path, names, places, options)
    return evaluate_lib.evaluate(chosen, model=subject)
  path = os.path.expanduser(os.fspath(model))
  return evaluate_lib.evaluate(flags.from_values(path, names, places, options))


class LanguageModel:
  """A trained model; made by `load`.

  All results are NumPy arrays in float32, computed in float32, but for sums
  of scores. Texts have at most `config.length` tokens, special ones included.
  Inputs of another shape are compiled for once.

  Attributes:
    config: of the run that trained it, or of the one that an imported model
      would become.
    tokenizer: text to ids and back, without special tokens around them; None
      for a directory without tokenizer files.
    outputs: what `logits` may give, by name: "vocabulary", and heads.
    scoring: what its scores are: "log_likelihood", "pseudo_log_likelihood",
      "infilling" or "energy"; "" for a model without an output to score by.
      Only equal kinds compare.
  """

  def __init__(self, model: Trained):
    self._model = model
    self.config: Config = model.config
    self.tokenizer: Tokenizer | None = model.tokenizer
    self.outputs: tuple[str, ...] = tuple(model.outputs)
    self.scoring: str = loaded_model.scoring(model)
    self._params = model.params
    self._spec = model.spec
    self._network = for_measuring(model.network)
    trunk = dict(model.network.trunks)["main"]
    adaptation = model.network.adaptation
    self._ahead = adaptation.ahead if adaptation else 0
    # As texts find it: what is ahead of them takes positions.
    self._trunk = dataclasses.replace(
      trunk, max_positions=trunk.max_positions - self._ahead
    )

  def __repr__(self) -> str:
    """What it is, in a line."""
    trunk, spec = self._trunk, self._spec
    what = self.config.family or self.config.objective
    facts = [
      f"{what}, {spec.architecture} of {trunk.layers} x {trunk.width}",
      f"{self.num_parameters():,} parameters",
      f"vocabulary {spec.vocabulary:,}",
      f"length {spec.length:,}",
    ]
    where = self._model.source
    return f"LanguageModel({', '.join(facts + [repr(where)] * bool(where))})"

  @property
  def params(self) -> Any:
    """Its parameters: a pytree of float32 arrays, for `apply`."""
    return self._params

  def with_params(self, params: Any) -> LanguageModel:
    """The same model with other parameters, say after steps of your own.

    Args:
      params: of the structure and the shapes of `params`.

    Raises:
      UsageError: they are of others.
    """
    own, other = map(_shapes, (self._params, params))
    wrong = sorted(own.items() ^ other.items())
    if wrong:
      name = wrong[0][0]
      raise UsageError(
        f"params: {name} must be {own.get(name, 'left out')} and is"
        f" {other.get(name, 'absent')}"
      )
    return LanguageModel(self._model._replace(params=params))

  def num_parameters(self) -> int:
    """How many numbers `params` holds; tied ones count once."""
    return sum(leaf.size for leaf in jax.tree.leaves(self._params))

  @functools.cached_property
  def _scorer(self) -> Scorer:
    _require_tokenizer(self._model, "texts")
    return score_lib.scorer(self._model)

  @functools.cached_property
  def _filler(self) -> Filler:
    from lm_jax.generation.infill import Filler

    return Filler(self._model, "fill")

  @functools.cached_property
  def _generator(self) -> Generator:
    from lm_jax.generation.generate import Generator

    return Generator(self._model, "generate")

  def logits(
    self,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
    output: str = "",
  ) -> np.ndarray:
    """The logits of one of `outputs`, as Transformers' `.logits` are.

    Over the vocabulary they are [B, T, V]: an encoder sees both ways, and a
    decoder the past, so that position t of it tells of token t + 1. A head of
    tokens gives [B, T, size] (question answering: start and end), or [B, T]
    of a discriminator; a head of texts [B, size], or
    [B, D] of a bare pooler.

    Args:
      input_ids: integers [B, T], read by the encoder where there is one.
      attention_mask: [B, T], 0 on padding, on either side; by default none.
        Logits on padding have no meaning.
      token_type_ids: [B, T], where the model has token types.
      decoder_input_ids: [B, T'] of an encoder_decoder, whose logits are
        [B, T', V]. Its heads read input_ids shifted by one unless it is given.
      position_ids: [B, T]; by default they count from 0 behind the padding
        (Transformers counts padding on the left, too, unless it is told).
      mems: of XLNet: what `mems` gave for the segments before.
      output: one of `outputs`; the first by default.

    Raises:
      UsageError: an argument that the model lacks or needs, ids that it has
        not, or a model without outputs.
    """
    return np.asarray(
      self.apply(
        self._params,
        input_ids,
        attention_mask,
        token_type_ids,
        decoder_input_ids,
        position_ids,
        mems,
        output,
      )
    )

  def apply(
    self,
    params: Any,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
    output: str = "",
  ) -> jax.Array:
    """`logits` as a pure function of the parameters and the inputs.

    It may be jitted, differentiated and vectorised like any function of JAX;
    nothing is dropped out, and everything is float32. Inside jit the values of
    ids are not checked, since they are not known.

    Args:
      params: as `params`, of the same shapes.
      input_ids, attention_mask, token_type_ids, decoder_input_ids,
        position_ids, mems, output: as of `logits`; `output` is no array.

    Raises:
      UsageError: as `logits`.
    """
    name = output or next(iter(self.outputs), "")
    if name not in self.outputs:
      valid = ", ".join(self.outputs) or "none: hidden() has its states"
      raise UsageError(f"logits: output={name}: valid are {valid}")
    inputs, source = inputs_lib.streams(
      self._trunk,
      self._spec,
      input_ids,
      attention_mask,
      token_type_ids,
      decoder_input_ids,
      position_ids,
      shifted=name != loaded_model.VOCABULARY,
      starts_with_last=pretrained.starts_with_last(self.config),
    )
    head = self._model.outputs[name]
    end = self._spec.specials.end
    if head is not None and head.pool == "end":
      read = inputs if source is None else source
      inputs_lib.require_token(read, end, name)
    run = compiled.logits(self._network, name, head, end)
    past = self._past(mems)
    found = run(params, inputs, source, past)
    if head is not None and name == self._model.objective.scores_by(self._spec):
      return found[:, :, 0]  # a discriminator's
    return found

  def mems(
    self,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    mems: Sequence[Array] = (),
    mem_len: int = 0,
  ) -> tuple[np.ndarray, ...]:
    """XLNet's memory of a segment: float32 [B, M, D] for each layer.

    Args:
      input_ids, attention_mask, token_type_ids: as of `logits`.
      mems: of the segments before this one.
      mem_len: states to keep; 0 keeps all.

    Raises:
      UsageError: the model is no XLNet, or `logits` would raise.
    """
    self._past(mems)
    self._require_memory()
    inputs, _ = inputs_lib.streams(
      self._trunk, self._spec, input_ids, attention_mask, token_type_ids
    )
    found = compiled.memory(self._network, mem_len)(
      self._params, inputs, tuple(mems)
    )
    return tuple(map(np.asarray, found))

  def _require_memory(self) -> None:
    if self._trunk.positions != "xlnet":
      raise UsageError("mems: only an XLNet has a memory")
    if self._ahead:
      raise UsageError("mems: a model with a soft prompt has no memory")

  def _past(self, mems: Sequence[Array]) -> tuple[Array, ...]:
    if mems:
      self._require_memory()
    if mems and len(mems) != self._trunk.layers:
      raise UsageError(
        f"mems: {len(mems)} are given, and the model has {self._trunk.layers} "
        "layers"
      )
    return tuple(mems)

  def hidden(
    self,
    texts_or_ids: str | Sequence[str] | Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    decoder_input_ids: Array | None = None,
    position_ids: Array | None = None,
    mems: Sequence[Array] = (),
  ) -> list[np.ndarray] | np.ndarray:
    """Last-layer states, as the objective has a whole text read.

    An encoder and the prefix of a prefix_decoder see both ways; an
    encoder_decoder gives the decoder's states, which reads the text behind
    its start token unless it is given something else.

    Args:
      texts_or_ids: texts, or integers [B, T] as `logits` takes them.
      attention_mask, token_type_ids, decoder_input_ids, position_ids, mems:
        of ids, as `logits` takes them.

    Returns:
      For texts a list of float32 [T, D], one state for each token, and for
      each special token that the model has around a text; for ids float32
      [B, T, D].
    """
    if inputs_lib.are_texts(texts_or_ids):
      return self._scorer.text_states(inputs_lib.texts(texts_or_ids))
    inputs, source = inputs_lib.streams(
      self._trunk,
      self._spec,
      texts_or_ids,
      attention_mask,
      token_type_ids,
      decoder_input_ids,
      position_ids,
      shifted=True,
      starts_with_last=pretrained.starts_with_last(self.config),
      whole=True,
    )
    run = compiled.states(self._network)
    return np.asarray(run(self._params, inputs, source, self._past(mems)))

  def embed(self, texts: str | Iterable[str]) -> np.ndarray:
    """Mean of each text's last-layer states, long ones cut: [n, D]."""
    return self._scorer.text_features(inputs_lib.texts(texts))

  def score(
    self, texts: str | Iterable[str], per_token: bool = False
  ) -> np.ndarray | list[np.ndarray]:
    """The objective's own score of each text, in nats; higher is likelier.

    Returns:
      Sums over the tokens, float64 [n]; or `per_token` a list of float32 [T],
      aligned with `tokenizer.encode(text)`.

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    if not self.scoring:
      raise UsageError(
        "score: the model has no output to score by, only "
        f"{', '.join(self.outputs) or 'its states'}"
      )
    if per_token:
      return self._scorer.text_token_scores(inputs_lib.texts(texts))
    return self._scorer.text_scores(inputs_lib.texts(texts))

  def generate(
    self,
    prompts: str | Sequence[str] | Array,
    attention_mask: Array | None = None,
    decoder_input_ids: Sequence[int] = (),
    truncate: Literal["", "left", "right"] = "",
    stream: Callable[[str], None] | None = None,
    source_language: str = "",
    target_language: str = "",
    **options: Any,
  ) -> list[str] | np.ndarray:
    """Goes on with texts or ids, with the options of Transformers.

    Args:
      prompts: texts; or integers [B, T] as Transformers' `generate` takes.
      attention_mask: of ids, [B, T], 0 on padding, on either side.
      decoder_input_ids: of ids, what every row's decoder begins with, the
        start token included.
      truncate: the side on which too long a text is cut.
      stream: called with pieces of the text as it comes, some of them "", every
        few tokens; of one prompt.
      source_language, target_language: of texts and a model that translates
        (M2M-100, mBART): a code of the tokenizer's, or an English name.
      **options: of lm_jax.generation.options.Generation: max_new_tokens,
        do_sample, temperature, top_k, top_p, num_beams, seed, ...; by
        default those of the model's generation_config.json.

    Returns:
      For texts the new texts, num_return_sequences of each in their order; for
      ids int32 [B * num_return_sequences, T'], of a decoder the prompts and
      what follows, of an encoder_decoder what its decoder reads and says,
      padded at the end.

    Raises:
      UsageError: a model that can't, an option or prompt out of range.
    """
    from lm_jax.generation import defaults

    own = (
      defaults.from_directory(self._model.source) if self._model.source else {}
    )
    where = defaults.file_of(self._model.source) if own else ""
    flags = read_options.read(options, own, str(where))
    if inputs_lib.are_texts(prompts):
      texts = inputs_lib.texts(prompts, "prompts")
      show = None
      if stream is not None:
        if len(texts) * flags.num_return_sequences != 1:
          raise UsageError("stream: is of one text")
        show = lambda _, piece: stream(piece)  # noqa: E731
      found = self._generator.generate(
        texts, flags, truncate, show, source_language, target_language
      )
      return [result.text for result in found]
    if stream or truncate or source_language or target_language:
      raise UsageError(
        "stream, truncate, source_language, target_language: are of texts, not"
        " of ids"
      )
    rows = inputs_lib.rows(self._trunk, prompts, attention_mask)
    ids = [
      row[real > 0].tolist()
      for row, real in zip(rows.tokens_BxL, rows.segment_BxL, strict=True)
    ]
    generator = self._generator
    start = list(generator.decoder_prompt(flags, decoder_input_ids))
    found = generator.continue_ids(ids, flags, start)
    if self._spec.architecture == "encoder_decoder":
      ids = [start or [self._spec.specials.start]] * len(ids)
    whole = [ids[result.prompt] + result.ids for result in found]
    out = np.full(
      (len(whole), max(map(len, whole))), self._spec.specials.pad, np.int32
    )
    for row, numbers in zip(out, whole, strict=True):
      row[: len(numbers)] = numbers
    return out

  def fill(self, text: str, top_k: int = 5) -> list[list[Candidate]]:
    """Candidates for each blank of a text, likeliest first.

    Args:
      text: with the tokenizer's mask token for what is missing.
      top_k: candidates of each blank.

    Raises:
      UsageError: the model does not fill blanks, or there are none.
    """
    return self._filler.blanks(inputs_lib.text(text), top_k)

  def fill_sentence(self, text: str, steps: int = 10) -> str:
    """The text with all its blanks filled, in so many passes (mask-predict).

    Raises:
      UsageError: as `fill`.
    """
    return self._filler.sentence(inputs_lib.text(text), steps)

  def save_pretrained(
    self, path: str | os.PathLike, family: str = ""
  ) -> list[str]:
    """Writes Hugging Face directories that Transformers reads.

    Args:
      path: a new or empty directory; a model of rtd is written as two,
        "discriminator" and "generator", below it.
      family: one of `list families`; by default the one that the model came
        from, or else that of the objective.

    Returns:
      the directories.

    Raises:
      UsageError: the model does not fit the family, or the directory is
        taken.
    """
    from lm_jax.hugging_face import export

    path = os.path.expanduser(os.fspath(path))
    return export.save(self._model, path, family)


def _require_tokenizer(model: Trained, what: str) -> Tokenizer:
  if model.tokenizer is None:
    raise UsageError(f"{what}: the model has no tokenizer files beside it")
  return model.tokenizer


def _shapes(params: Any) -> dict[str, tuple[int, ...]]:
  return {name: leaf.shape for name, leaf in flatten(params).items()}
