"""`python launch.py report`: pages of experiments, evaluations and pairs."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.evaluation import (
  paired,
  paired_page,
  paired_predictions,
  pairing,
  store,
)
from lm_jax.evaluation.flags import Form
from lm_jax.report import blocks, replace, web
from lm_jax.storage import disk, lock, workdir
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option

DEFAULT = "runs/compare_objectives"
PAIRED = "paired.json"


def schema() -> dict[str, Option]:
  """The flags."""
  own = (
    Option(
      "workdir",
      str,
      DEFAULT,
      "the directory of an experiment, an evaluation or a protocol of"
      " fine-tuning, whose pages are written again; with --predictions the"
      " directory of a page to be, without which the table is only printed",
    ),
    Option(
      "predictions",
      tuple[str, ...],
      (),
      "what models said item by item, to be compared with --baseline: files of"
      " `evaluate --predictions`, or directories of `evaluate --workdir`",
      repeat=True,
    ),
    Option("baseline", str, "", "a file or directory like those"),
    Option("format", Form, "text", "of the comparison that is printed"),
  )
  return {option.path: option for option in own}


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Reports as flags ask; returns the exit code."""
  known = schema()
  paths = [
    path
    for text in given.get("predictions", ())
    for path in known["predictions"].parse(text)
  ]
  last = {name: texts[-1] for name, texts in given.items()}
  if paths or "baseline" in given or "format" in given:
    return _compare(paths, last)
  directory = last.get("workdir", DEFAULT)
  if pathlib.Path(directory, store.RESULTS).is_file():
    return _evaluation(directory)
  from lm_jax import report
  from lm_jax.report import protocol

  if pathlib.Path(directory, protocol.FILE).is_file():
    print(protocol.write(directory), end="")
    return 0
  report.write(directory)
  print(report.table(directory))
  return 0


def _evaluation(directory: str) -> int:
  from lm_jax.evaluation import report, text

  found = report.write(directory)
  for outcome in found.outcomes:
    print("\n".join([*text.head(outcome.rows), *text.body(outcome.rows)]))
  print(f"{directory}/report.html")
  return 0


def _compare(paths: Sequence[str], last: Mapping[str, str]) -> int:
  """Models against a baseline, item by item."""
  base = last.get("baseline", "")
  for name, given in (("predictions", paths), ("baseline", base)):
    if not given:
      raise UsageError(
        f"--{name}: needed, a file of `evaluate --predictions` or a directory"
        " of `evaluate --workdir`"
      )
  twice = [p for i, p in enumerate(paths) if p in paths[:i] or p == base]
  if twice:
    raise UsageError(f"--predictions={twice[0]}: is named twice")
  directory = last.get("workdir", "")
  if directory:
    _require_own(directory, paths, base)
  *names, own = paired_predictions.names([*paths, base])
  baseline = paired_predictions.load(base, "--baseline", own)
  models = [
    paired_predictions.load(path, "--predictions", name)
    for path, name in zip(paths, names, strict=True)
  ]
  pairs, notes = pairing.pairs(models, baseline)
  form = last.get("format", "text")
  if form == "json":
    print(paired.as_json(pairs, baseline, notes))
  elif form == "csv":
    print(paired.as_csv(pairs, baseline), end="")
  else:
    found = paired.summary(pairs, baseline, notes)
    print(blocks.plain(found), end="")
  if not directory:
    return 0
  command = ["report"]
  command += [f"--predictions={path}" for path in paths]
  command.append(f"--baseline={base}")
  content, files = paired_page.whole(pairs, baseline, notes, command)
  image = paired_page.image_of(content)
  svg = {image.stem: files[f"{image.stem}.svg"]} if image else {}
  about = {"predictions": list(paths)}
  about |= paired.as_object(pairs, baseline, notes)
  first = content[0]
  title = first.text if isinstance(first, blocks.Heading) else ""
  texts = {
    PAIRED: json.dumps(about, indent=1, ensure_ascii=False) + "\n",
    "paired.csv": paired.as_csv(pairs, baseline),
    "report.md": blocks.markdown(content),
    "report.html": web.to_html(content, title, svg),
  }
  root = workdir.create(directory)
  with (
    lock.hold(directory),
    disk.disk_errors_as_usage(f"--workdir={directory}"),
  ):
    for name, text in texts.items():
      replace(root / name, text.encode("utf-8", "replace"))
    if files:
      (root / "figures").mkdir(exist_ok=True)
    for name, data in files.items():
      replace(root / "figures" / name, data)
  if form == "text":
    print(f"\n{directory}/report.html")
  return 0


def _require_own(directory: str, paths: Sequence[str], base: str) -> None:
  """Raises UsageError if a directory holds anything but this comparison."""
  workdir.check(directory)
  root = pathlib.Path(directory)
  if not root.is_dir() or all(p.name == "lock" for p in root.iterdir()):
    return
  where = f"--workdir={directory}"
  if not (root / PAIRED).is_file():
    raise UsageError(
      f"{where}: is not empty and holds no comparison; name another directory"
    )
  held = strict_json.read(root / PAIRED)
  if not isinstance(held, dict) or (
    held.get("predictions"),
    held.get("baseline"),
  ) != (list(paths), base):
    raise UsageError(
      f"{where}: holds a comparison of other predictions; name another"
      " directory"
    )
