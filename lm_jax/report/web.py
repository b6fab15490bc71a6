"""The HTML form of a report: one file that loads nothing and runs nothing else.

Its policy lets its own style and script in by their hashes, and refuses every
address, image, frame and form.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.report import language as language_lib
from lm_jax.report import markup, translated
from lm_jax.report.blocks import Arms, Block, Image, printable
from lm_jax.report.language import Language


@functools.cache
def _resource(name: str) -> str:
  return (
    importlib.resources.files(__package__).joinpath(name).read_text("utf-8")
  )


def _hash(text: str) -> str:
  """The source expression of a policy that lets one inline text in."""
  digest = hashlib.sha256(text.encode()).digest()
  return f"'sha256-{base64.b64encode(digest).decode()}'"


def as_data(value: Any) -> str:
  """Formats JSON that may stand inside a script element.

  HTML ends one at "</script" and changes its reading at "<!--", also inside of
  a JSON string.
  """
  text = json.dumps(value, ensure_ascii=False, allow_nan=False)
  for sign in "<>&\u2028\u2029":
    text = text.replace(sign, f"\\u{ord(sign):04x}")
  return text


def _figures(blocks: Sequence[Block]) -> dict[str, dict[str, Any]]:
  """The points of each figure, by its stem and the names of its traces."""
  return {
    block.stem: {
      trace.name: {
        "arm": trace.arm,
        "label": trace.label,
        "axes": trace.axes,
        "points": [[f"{n:.4g}" for n in point] for point in trace.points],
      }
      for trace in block.traces
    }
    for block in blocks
    if isinstance(block, Image) and block.traces
  }


def to_html(
  blocks: Sequence[Block],
  title: str,
  svg: Mapping[str, bytes],
  language: Language | None = None,
) -> str:
  """Formats blocks as the page `report.html`.

  Args:
    svg: the bytes of each figure's SVG by its stem, as matplotlib writes them.
    language: that blocks are said in; English unless given.
  """
  language = language or language_lib.load("en")
  arms = next((b.names for b in blocks if isinstance(b, Arms)), ())
  said = {stem: translated.svg(data, language) for stem, data in svg.items()}
  body = markup.body(blocks, arms, said, language.say)
  style = _resource("page.css") + markup.FILTERS
  policy = {"default-src": "'none'", "style-src": _hash(style)}
  figures, script = _figures(blocks), ""
  if arms or figures:
    code = _resource("page.js")
    policy["script-src"] = _hash(code)
    script = (
      f'<script type="application/json" id="data">{as_data(figures)}</script>\n'
      f"<script>{code}</script>\n"
    )
  policy |= {"base-uri": "'none'", "form-action": "'none'"}
  content = "; ".join(f"{name} {value}" for name, value in policy.items())
  return printable(
    f'<!DOCTYPE html>\n<html lang="{language.tag}">\n<head>\n'
    '<meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" '
    f'content="{content}">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n"
    f"</head>\n<body>\n{body}\n{script}</body>\n</html>\n"
  )
