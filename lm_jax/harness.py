"""Models of lm_jax in lm-evaluation-harness.

    python -m lm_jax.harness --model lm_jax --model_args pretrained=DIR --tasks lambada_openai

takes the arguments of `lm_eval`, whose command line has no way to learn of a
model of another package; so this registers "lm_jax" and then is `lm_eval`.
From Python, to import this file is enough: `simple_evaluate(model="lm_jax")`.
"""  # noqa: E501

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.generation import batches, read_options
from lm_jax.generation.generate import Generator
from lm_jax.inference import load
from lm_jax.prompting import judges
from lm_jax.prompting.likelihood import Likelihood
from lm_jax.prompting.pairs import Pair, first_difference, no_tokens, progress
from lm_jax.support import plugins as plugins_lib
from lm_jax.support.errors import UsageError

BAD_USAGE = 2
NEEDED = (
  "lm_jax.harness: needs lm-evaluation-harness: pip install 'lm_jax[harness]'"
)

try:
  import lm_eval.models  # noqa: F401  where its own are registered
  from lm_eval.api.model import TemplateLM
  from lm_eval.api.registry import register_model
except ImportError as missing:
  if __name__ == "__main__":
    print(f"lm_jax: {NEEDED}", file=sys.stderr)
    sys.exit(BAD_USAGE)
  raise UsageError(NEEDED) from missing

MOST_NEW = 256  # tokens, where a task does not say; that of the harness
_ROWS = 16
# What the harness passes to every model, and has no meaning here.
_IGNORED = {"batch_size", "max_batch_size", "device"}


@register_model("lm_jax")
class HarnessModel(TemplateLM):
  """A run, or a Hugging Face directory, as the harness asks it.

  Args:
    pretrained: the directory.
    add_bos_token: do the special tokens that the model reads in front of any
      text stand in front of a prompt? (With "hf" say it, too: by default its
      tokenizer decides, and GPT-2's leaves it out.)
    plugins: a directory of your own objectives, as of --plugins=DIR.
    ignored: batch_size, max_batch_size and device, which change no number.

  Raises:
    UsageError: no such model, or it has no likelihood of what follows a text.
  """

  def __init__(
    self,
    pretrained: str,
    add_bos_token: bool = True,
    plugins: str = "",
    **ignored: Any,
  ):
    super().__init__()
    unknown = sorted(set(ignored) - _IGNORED)
    if unknown:
      raise UsageError(
        f"--model_args {unknown[0]}={ignored[unknown[0]]}: unknown; valid:"
        " pretrained, add_bos_token, plugins"
      )
    path = os.path.expanduser(pretrained)
    if plugins:
      plugins_lib.add(plugins, "--model_args plugins")
    model = load.load(path, "--model_args pretrained")
    self._model, self._tokenizer = model, model.require_tokenizer()
    if not model.is_generative:
      raise UsageError(
        f"{model.name}: the harness asks for the likelihood of what follows a"
        f" text, and a model of {model.objective.name} has none; those of"
        f" {judges.continuing(exact=True)} have it, and imported decoders"
      )
    self._specials = model.spec.specials
    self._before = list(self._specials.before) if add_bos_token else []
    self._likelihood = Likelihood(model)
    self._generator = Generator(model)
    if model.spec.architecture == "encoder_decoder":
      self.backend = "seq2seq"

  @property
  def eot_token_id(self) -> int:
    """The id in front of a text without context."""
    specials = self._specials
    return (*specials.before, specials.boundary)[0]

  @property
  def max_length(self) -> int:
    """Tokens of a window, where the model itself has no limit."""
    return self._likelihood.room or self._model.spec.length

  @property
  def tokenizer_name(self) -> str:
    """The name under which the harness caches requests."""
    return f"lm_jax-{self._tokenizer.fingerprint}"

  def tok_encode(
    self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
  ) -> list[int]:
    ids = list(self._tokenizer.encode(string))
    if add_special_tokens is False:
      return ids
    after = self._specials.after if self.backend == "seq2seq" else ()
    return [*self._before, *ids, *after]

  def loglikelihood(
    self, requests: Sequence[Any], disable_tqdm: bool = False
  ) -> list[tuple[float, bool]]:
    """log p of continuations, each behind its context.

    Raises:
      UsageError: a continuation has no tokens of its own.
    """
    return self._loglikelihood_tokens(
      [
        (request.args, *self._encode_pair(*request.args))
        for request in requests
      ]
    )

  def _encode_pair(
    self, context: str, continuation: str
  ) -> tuple[list[int], list[int]]:
    """Tokens of a context, which may be empty, and of what follows it.

    White space at the end of a context belongs to the continuation. The
    harness cuts their tokens by the number of the context's own, so that
    nothing is left of a continuation that shares a token with its context;
    here they are cut where the tokens of both first differ from those.

    Raises:
      UsageError: the continuation has no tokens of its own.
    """
    pair = Pair(context, continuation)
    start = len(context.rstrip())
    before, after = context[:start], context[start:] + continuation
    if context and self.backend == "causal":
      whole = self.tok_encode(before + after)
      cut = first_difference(self.tok_encode(before), whole, pair)
      return whole[:cut] or [self.eot_token_id], whole[cut:]
    ids = self.tok_encode(after, add_special_tokens=False)
    if context:
      read = self.tok_encode(before)
    elif ids[:1] == [self.eot_token_id]:
      read, ids = ids[:1], ids[1:]
    else:
      read = [self.eot_token_id]
    if not ids:
      raise no_tokens(pair)
    return read, ids

  def _loglikelihood_tokens(
    self,
    requests: Sequence[tuple[Any, Sequence[int], Sequence[int]]],
    disable_tqdm: bool = False,
    **kwargs: Any,
  ) -> list[tuple[float, bool]]:
    scored = self._likelihood.scores_of_ids(
      [(tuple(context), tuple(choice)) for _, context, choice in requests]
    )
    assert scored.greedy is not None
    results = [
      (float(total), bool(greedy))
      for total, greedy in zip(scored.sums, scored.greedy, strict=True)
    ]
    for (key, _, _), result in zip(requests, results, strict=True):
      if key is not None:
        self.cache_hook.add_partial("loglikelihood", key, result)
    return results

  def loglikelihood_rolling(
    self, requests: Sequence[Any], disable_tqdm: bool = False
  ) -> list[float]:
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    windows, owners = [], []
    for number, request in enumerate(requests):
      (text,) = request.args
      ids = self.tok_encode(text, add_special_tokens=False)
      if text.strip() and not ids:
        raise no_tokens(Pair("", text))
      for window in get_rolling_token_windows(
        ids,
        prefix_token=self.eot_token_id,
        max_seq_len=self.max_length,
        context_len=1,
      ):
        windows.append((None, *make_disjoint_window(window)))
        owners.append(number)
    totals = [0.0] * len(requests)
    scores = self._loglikelihood_tokens(windows)
    for number, (score, _) in zip(owners, scores, strict=True):
      totals[number] += score
    for request, total in zip(requests, totals, strict=True):
      self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
    return totals

  def generate_until(
    self, requests: Sequence[Any], disable_tqdm: bool = False
  ) -> list[str]:
    answers = [""] * len(requests)
    alike: dict[str, list[int]] = {}
    for number, request in enumerate(requests):
      alike.setdefault(repr(request.args[1]), []).append(number)
    for members in alike.values():
      asked = requests[members[0]].args[1]
      options, stops = generation(asked)
      texts = [requests[number].args[0] for number in members]
      written = batches.write(
        *(self._generator, texts, options, 0, _ROWS, progress),
        bare=not self._before,
      )
      for number, (text,) in zip(members, written, strict=True):
        ends = [text.index(stop) for stop in stops if stop in text]
        answers[number] = text[: min(ends, default=len(text))]
        self.cache_hook.add_partial(
          "generate_until", requests[number].args, answers[number]
        )
    return answers


def generation(asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
  """The options of lm_jax, and the stop strings, of a task's gen_kwargs.

  Raises:
    UsageError: an option that lm_jax does not have.
  """
  from lm_eval.models.utils import normalize_gen_kwargs

  given = dict(normalize_gen_kwargs(dict(asked), MOST_NEW))
  stops = [stop for stop in given.pop("until") if stop]
  options = {
    "max_new_tokens": given.pop("max_gen_toks"),
    "do_sample": given.pop("do_sample"),
    "stop_strings": tuple(stops),
  }
  # Where a task names neither, the harness leaves the temperature out, too.
  temperature = given.pop("temperature", None)
  if options["do_sample"] and temperature is not None:
    options["temperature"] = temperature
  options |= read_options.from_values(given, "gen_kwargs")
  return options, stops


def main() -> None:
  """Runs `lm_eval`, which knows this model now."""
  from lm_eval.__main__ import cli_evaluate

  try:
    cli_evaluate()
  except UsageError as error:
    sys.stderr.write(f"lm_jax: {error}\n")
    sys.exit(BAD_USAGE)


if __name__ == "__main__":
  main()
