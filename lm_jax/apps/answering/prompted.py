"""A reader that writes its answer, with the documents in its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_jax.apps.answering.base import Answer, Reader
from lm_jax.apps.chat import template as chat_template
from lm_jax.apps.chat import tools
from lm_jax.examples.collection import Document
from lm_jax.generation import prompts, read_options
from lm_jax.generation.generate import Generator
from lm_jax.generation.options import Generation
from lm_jax.support.errors import UsageError

TEMPLATE = "answer"
# Tokens that a chat template may put around a prompt.
_AROUND = 64


class PromptReader(Reader):
  """Reader that prompts a generative model with documents and a question.

  Documents that do not fit are left out from the end, the last one that does
  is cut, and that is counted.

  Args:
    model: generative, lm_jax.loaded_model.Trained.
    template: a writing tool whose fields are `text` and `question`.
    options: of the generation; by default those of the template, greedy.

  Raises:
    UsageError: the model is not generative, or the template asks for
      something else.
  """

  def __init__(
    self,
    model: Any,
    template: str = TEMPLATE,
    options: Generation | None = None,
    what: str = "--reader",
  ):
    self._generator = Generator(model, what)
    self._template = tools.load(template, "--reader_template")
    if "question" not in self._template.fields:
      raise UsageError(
        f"--reader_template={template}: has no field question; its fields are"
        f" {', '.join(self._template.fields)}"
      )
    values = read_options.under({}, self._template.generation)
    self._options = options or Generation(**values).check()

  def answer(self, question: str, documents: Sequence[Document]) -> Answer:
    tool = tools.Tool(self._template, {"question": question})
    text = "\n\n".join(document.full_text for document in documents)
    (result,) = tool.run(
      self._generator, [self._fitting(text, tool)], self._options
    )
    return Answer(result.text, "", float(result.score))

  def _fitting(self, text: str, tool: tools.Tool) -> str:
    """Returns as much of the documents as fits."""
    model = self._generator.model
    room, tokenizer = prompts.context(model), model.tokenizer
    if not room or tokenizer is None:
      return text
    specials = tokenizer.specials
    room -= len(tokenizer.encode(tool.render([""])[0]))
    room -= self._options.max_new_tokens
    room -= len(specials.before) + len(specials.after)
    if chat_template.find(model.source).own:
      room -= _AROUND
    ids = tokenizer.encode(text)
    if len(ids) <= room:
      return text
    self.cut += 1
    return tokenizer.decode(ids[: max(room, 0)])
