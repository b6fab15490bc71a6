"""Tables as LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

import re

from lm_jax.report.blocks import Table, printable

_SIGNS = {
  "\\": r"\textbackslash{}",
  "{": r"\{",
  "}": r"\}",
  "$": r"\$",
  "&": r"\&",
  "%": r"\%",
  "#": r"\#",
  "_": r"\_",
  "~": r"\textasciitilde{}",
  "^": r"\textasciicircum{}",
  "<": r"\textless{}",
  ">": r"\textgreater{}",
  "|": r"\textbar{}",
  '"': r"\textquotedbl{}",
  "−": "$-$",
  "–": "--",
  "±": r"$\pm$",
  "×": r"$\times$",
  "≤": r"$\le$",
  "≥": r"$\ge$",
  "…": r"\ldots{}",
  # Those would join two cells or be read as one sign.
  "`": r"\textasciigrave{}",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))


def escape(text: str) -> str:
  """Escapes text for LaTeX, on one line; letters of any script stay letters.

  >>> print(escape("50 % of a_b"))
  50 \\% of a\\_b
  """
  line = " ".join(printable(text).split())
  return _SIGN.sub(lambda match: _SIGNS[match[0]], line)


def table(content: Table, caption: str, label: str) -> str:
  r"""Formats a table as a LaTeX float that needs \usepackage{booktabs}.

  Args:
    content: whose columns of words are aligned left, all others right.
    caption: plain text.
    label: a name; what LaTeX does not take in one is left out.
  """
  columns = "".join(
    "l" if i in content.words else "r" for i in range(len(content.head))
  )
  # A row that begins with [ would be an option of the \\ before it.
  rows = [" & ".join(map(escape, row)) for row in (content.head, *content.rows)]
  rows = [f"{{}}{row}" if row.startswith(("[", "*")) else row for row in rows]
  head, *body = (rf"  {row} \\" for row in rows)
  name = re.sub(r"[^A-Za-z0-9-]+", "-", label).strip("-")
  lines = [
    r"% Needs \usepackage{booktabs} and \usepackage[T1]{fontenc}.",
    r"\begin{table}",
    r"\centering",
    rf"\caption{{{escape(caption)}}}",
    rf"\label{{tab:{name}}}",
    rf"\begin{{tabular}}{{{columns}}}",
    *(r"  \toprule", head, r"  \midrule", *body, r"  \bottomrule"),
    r"\end{tabular}",
    r"\end{table}",
  ]
  return "\n".join(lines) + "\n"
