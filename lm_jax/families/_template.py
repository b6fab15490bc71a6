"""Special tokens that a family's tokenizer puts around one text or two."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Template:
  """The special tokens of a family, as its class in Transformers has them.

  single, pair: of "A", "B" and fields of Specials, in their order, each with
    its token type behind a colon where that is not 0; "source" and "target"
    are what Specials has before and after a text, a language at least.
  tokens: the field of Specials that each of Transformers' names stands for.
  names: what the family calls these tokens, by field, where it calls them
    otherwise than we do; "sentinels" with a {} for their number.
  types: whether the model reads token types.
  left: whether shorter texts are padded on the left.
  """

  single: str
  pair: str
  tokens: Mapping[str, str]
  names: Mapping[str, str] = dataclasses.field(default_factory=dict)
  types: bool = False
  left: bool = False


def _tokens(**parts: str) -> dict[str, str]:
  return {f"{part}_token": field for part, field in parts.items()}


_FAIRSEQ = {
  "pad": "<pad>",
  "unknown": "<unk>",
  "boundary": "<s>",
  "end": "</s>",
  "mask": "<mask>",
}
BERT = Template(
  single="boundary A separator",
  pair="boundary A separator B:1 separator:1",
  tokens=_tokens(
    unk="unknown", sep="separator", pad="pad", cls="boundary", mask="mask"
  ),
  names={"boundary": "[CLS]"},
  types=True,
)
UNTYPED = dataclasses.replace(BERT, types=False)
ALBERT = dataclasses.replace(
  BERT,
  tokens={**_tokens(bos="boundary", eos="separator"), **BERT.tokens},
  names={"boundary": "[CLS]", "pad": "<pad>", "unknown": "<unk>"},
)
# What ended documents in training ends texts; it parts them, too.
ROBERTA = Template(
  single="boundary A end",
  pair="boundary A end end B end",
  tokens={
    **_tokens(bos="boundary", eos="end", unk="unknown", sep="end"),
    **_tokens(pad="pad", cls="boundary", mask="mask"),
  },
  names=_FAIRSEQ,
)
# As Transformers' classes with add_bos_token: every text began so in training.
GPT2 = Template(
  single="boundary A",
  pair="boundary A boundary:1 B:1",
  tokens={
    **_tokens(bos="boundary", eos="end", unk="unknown", sep="separator"),
    **_tokens(pad="pad", mask="mask"),
  },
)
LLAMA = dataclasses.replace(
  GPT2, names={"unknown": "<unk>", "boundary": "<s>", "end": "</s>"}, left=True
)
T5 = Template(
  single="A end",
  pair="A end B end",
  tokens=_tokens(eos="end", unk="unknown", pad="pad"),
  names={
    "pad": "<pad>",
    "unknown": "<unk>",
    "end": "</s>",
    "sentinels": "<extra_id_{}>",
  },
)
# The languages of a text and of its translation stand around both.
TRANSLATION = dataclasses.replace(
  ROBERTA, single="source A target", pair="source A B target"
)
XLNET = Template(
  single="A separator boundary:2",
  pair="A separator B:1 separator:1 boundary:2",
  tokens={
    **_tokens(eos="end", unk="unknown", sep="separator"),
    **_tokens(pad="pad", cls="boundary", mask="mask"),
  },
  names={**_FAIRSEQ, "boundary": "<cls>", "separator": "<sep>"},
  types=True,
  left=True,
)
