"""Writes an experiment's results into docs/results/, and README's table.

  python launch.py compare --experiment=NAME
  python docs/refresh.py runs/NAME --took="7 min 10 s with empty caches"

The table of docs/results.md and docs/gallery.md have a line and a figure of
each. tests/results_test.py holds them and README to what this writes, and the
committed results to the experiment and the code at hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import re
import shutil
import tempfile
from typing import Any

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.report import (
  card,
  compare,
  likelihood,
  ranking,
  spread,
  tables,
  write,
)
from lm_jax.report import collect as collect_lib
from lm_jax.report.metrics import amount, p_value
from lm_jax.storage import identity

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
FIGURES = ROOT / "docs" / "figures"
DEFAULT = "compare_objectives"
# Figures that a page in docs/ has.
STEMS = ("differences", "curves_flops", "curves_tokens")
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
INDEX = ROOT / "docs" / "results.md"
GALLERY = ROOT / "docs" / "gallery.md"
_ALTERNATIVES = {
  "differences": "Differences to the baseline, with intervals",
  "curves_flops": "Minimal pairs against FLOPs",
  "curves_tokens": "Minimal pairs against tokens read",
}
# Behind it a page is written by hand.
NOTES = "## What it shows, and what it can't\n"
_BEGIN = "<!-- results: docs/refresh.py writes what follows -->\n"
_END = "<!-- end of results -->\n"


def facts(directory: str | pathlib.Path, took: str) -> dict[str, Any]:
  """Reads what the tables of README and the tests need, as it is printed."""
  whole = collect_lib.load(directory)
  experiment = whole.independent()
  analysis = compare.analyse(experiment)
  ranks = ranking.rankings(experiment, analysis.metric)
  name = analysis.metric or ""
  bits = likelihood.of_arms(experiment)
  differences = {d.arm: d for d in analysis.differences}
  arms = []
  for arm in analysis.arms:
    one = differences.get(arm.name)
    shown = bits.get(arm.name)
    apart = tables.interval(name, one.seeds or one.items, True) if one else ""
    arms.append(
      {
        "arm": arm.name,
        "tokens": amount(arm.ledger.get("tokens"), "tokens"),
        "score": tables.interval(name, arm.total),
        "mean": arm.total.value if arm.total else 0.0,
        "difference": apart,
        "p": p_value(one.p_seeds) if one else "",
        "bits": shown.text(intervals=False) if shown else "–",
      }
    )
  about = experiment.about
  words = spread.sentence(spread.parts(whole, analysis.metric), analysis.metric)
  rows = dict(card.make(whole, analysis, ranks, words).rows)
  return {
    "name": experiment.name,
    "date": str(about["date"])[:10],
    "machine": about["machine"],
    "jax": about["versions"]["jax"],
    "took": took,
    "seeds": analysis.arms[0].done,
    "arms": sorted(arms, key=lambda arm: -arm["mean"]),
    "best": first.best if (first := card.headline(ranks)) else [],
    "card": {row: placed(text, experiment.name) for row, text in rows.items()},
    "docstring": about["docstring"],
    "fingerprints": fingerprints(directory, experiment),
    "losses": losses(experiment),
  }


def placed(text: str, name: str) -> str:
  """Names the directory of a command as a reader would."""
  return re.sub(r"--workdir=\S+", f"--workdir=runs/{name}", text)


def fingerprint(config: config_lib.Config) -> str:
  """Identifies the configuration of an arm, whatever its branches and seed."""
  return identity.fingerprint(
    dataclasses.replace(config, branches="", seed=0, seeds={}, name="", arm="")
  )


def fingerprints(
  directory: str | pathlib.Path, experiment: collect_lib.Experiment
) -> dict[str, str]:
  """Returns the fingerprint of each arm's configuration."""
  return {
    run.arm: fingerprint(
      config_lib.read(str(pathlib.Path(directory, "runs", run.name)))
    )
    for run in experiment.runs
  }


def losses(experiment: collect_lib.Experiment) -> dict[str, list[float]]:
  """Returns the first logged step of each arm's first run, and its loss."""
  first = {}
  for arm in experiment.arms:
    run = experiment.runs_of(arm)[0]
    line = next(line for line in run.history if "loss" in line)
    first[arm] = [line["step"], line["loss"]]
  return first


def table(known: dict[str, Any], language: str) -> str:
  """Formats the part of README between the marks."""
  arms = known["arms"]
  baseline = next(arm["arm"] for arm in arms if not arm["difference"])
  heads = {
    "en": (
      *("arm", "tokens read", "minimal pairs, %"),
      *(f"difference to {baseline}, points", "p, seeds", "bits per byte"),
    ),
    "zh": (
      *("实验组", "读入词元数", "最小对立对准确率，%"),
      *(f"与 {baseline} 之差，百分点", "p 值（按种子检验）", "每字节比特数"),
    ),
  }
  lines = [f"| {' | '.join(heads[language])} |", "|---|--:|--:|--:|--:|--:|"]
  for arm in arms:
    keys = ("arm", "tokens", "score", "difference", "p", "bits")
    lines.append(f"| {' | '.join(arm[key] for key in keys)} |")
  machine = known["machine"].partition(";")[0]
  path = f"docs/figures/{known['name']}_curves_flops.png"
  if language == "zh":
    took = known["took"].replace(" min ", " 分 ")
    took = took.replace(" s with empty caches", " 秒，缓存为空")
    best = "、".join(known["best"])
    tied = (
      "并列最佳，彼此之间没有显著差异" if len(known["best"]) > 1 else "最佳"
    )
    text = (
      f"{known['date']} 运行 `python launch.py` 的结果（{machine}，jax"
      f" {known['jax']}，{took}）。每组 {known['seeds']} 个随机种子，"
      f"方括号内是对种子和测试条目计算的 95 % 置信区间。**在同等 FLOPs 下，"
      f"{best} {tied}。**"
    )
    caption = "最小对立对准确率随 FLOPs 的变化，空心圆点是学习率衰减完毕的模型"
  else:
    text = (
      f"What `python launch.py` gave on {known['date']} ({machine}, jax"
      f" {known['jax']}, {known['took']}), {known['seeds']} seeds an arm; in"
      " brackets, 95 % over seeds and items.\n\n"
      f"**{known['card']['Answer']}**"
    )
    caption = "Minimal pairs against FLOPs; circles are decayed models"
  body = "\n".join(lines)
  return f"{text}\n\n{body}\n\n![{caption}]({path})\n"


def replaced(text: str, block: str) -> str:
  """Replaces what stands between the marks of a README or another page."""
  pattern = re.escape(_BEGIN) + r".*?" + re.escape(_END)
  match = re.search(pattern, text, re.S)
  if not match:
    raise SystemExit(f"no {_BEGIN.strip()} ... {_END.strip()} in the page")
  return text[: match.start()] + _BEGIN + block + _END + text[match.end() :]


def committed() -> list[dict[str, Any]]:
  """Reads the facts of all committed results, the default experiment's first.

  The others follow by name.
  """
  texts = [path.read_text("utf-8") for path in sorted(RESULTS.glob("*.json"))]
  facts = [json.loads(text) for text in texts]
  return sorted(facts, key=lambda known: known["name"] != DEFAULT)


def _question(known: dict[str, Any]) -> str:
  return known["docstring"].strip().partition("\n")[0]


def index() -> str:
  """Formats the table of docs/results.md: a question, its answer, its page."""
  lines = ["| question | answer | experiment |", "|---|---|---|"]
  for known in committed():
    name = known["name"]
    link = f"[{name}](results/{name}.md)"
    answer = known["card"]["Answer"].replace("|", "\\|")
    lines.append(f"| {_question(known)} | {answer} | {link} |")
  return "\n".join(lines) + "\n"


def gallery() -> str:
  """Formats docs/gallery.md: of each experiment the answer and a figure."""
  parts = [
    "# Gallery\n",
    "What was asked, the answer, and a figure of each committed result, as its"
    " report has them; docs/refresh.py writes this page. The models have some"
    " 410,000 parameters and were trained for seconds: they show what a report"
    " says and how sure it is, and nothing of larger models. A line each, and"
    " what else was measured: [results.md](results.md).\n",
  ]
  for known in committed():
    name = known["name"]
    page = f"[The whole report](results/{name}.md)"
    command = known["card"]["Made by"].partition(" --workdir")[0]
    parts += [
      f"## {_question(known)}\n",
      f"**{known['card']['Answer']}**\n",
      *_figure(name),
      f"{page}; it was made by `{command}`.\n",
    ]
  return "\n".join(parts)


def _figure(name: str) -> list[str]:
  """Links the first figure of STEMS that a result has, if there is one."""
  for stem in STEMS:
    if (FIGURES / f"{name}_{stem}.png").exists():
      return [f"![{_ALTERNATIVES[stem]}](figures/{name}_{stem}.png)\n"]
  return []


def write_pages() -> None:
  """Writes what docs/results.md and docs/gallery.md have of all results."""
  text = INDEX.read_text("utf-8")
  INDEX.write_text(replaced(text, index()), encoding="utf-8")
  GALLERY.write_text(gallery(), encoding="utf-8")


def brought_up_to_date(directory: pathlib.Path) -> None:
  """Writes what the experiment's file says now into its record.

  Its words and what it declares to differ may change without another run.
  """
  path = directory / "experiment.json"
  about = json.loads(path.read_text("utf-8"))
  module = experiments.load(about["name"])
  about["docstring"] = module.__doc__
  about["question"] = module.__doc__.strip().partition("\n")[0]
  about["differs"] = [
    *(path for path in about["differs"] if path not in module.DIFFERS),
    *module.DIFFERS,
  ]
  path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def refresh(directory: pathlib.Path, took: str) -> None:
  """Writes the page, its figures and its facts; README's, of the default."""
  brought_up_to_date(directory)
  known = facts(directory, took)
  name = known["name"]
  RESULTS.mkdir(exist_ok=True)
  text = json.dumps(known, indent=1, ensure_ascii=False) + "\n"
  (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
  with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder, "copy")
    shutil.copytree(
      directory,
      copy,
      ignore=shutil.ignore_patterns("checkpoints", "events", "lock"),
    )
    write(copy)
    page = (copy / "report.md").read_text("utf-8")
    for stem in STEMS:
      path = copy / "figures" / f"{stem}.png"
      if path.exists():
        shutil.copyfile(path, FIGURES / f"{name}_{stem}.png")
  # Others are on a page of one's own.
  page = re.sub(
    r"!\[[^\]]*\]\(figures/(\w+)\.png\)\n\n[^\n]*\n\n",
    lambda m: m[0] if m[1] in STEMS else "",
    page,
  )
  page = re.sub(r"## [^\n]*\n\n(?=## )", "", page)  # of a figure alone
  page = placed(page, name).replace("](figures/", f"](../figures/{name}_")
  lines = page.splitlines(keepends=True)
  lines.insert(2, f"It took {took}. Written by docs/refresh.py.\n\n")
  text = "".join(lines)
  path = RESULTS / f"{name}.md"
  if path.exists():  # What was written by hand stays.
    _, mark, notes = path.read_text("utf-8").partition(NOTES)
    text += f"\n{mark}{notes}" if mark else ""
  path.write_text(text, encoding="utf-8")
  write_pages()
  if name == DEFAULT:
    for language, path in READMES.items():
      old = path.read_text("utf-8")
      new = replaced(old, table(known, language))
      path.write_text(new, encoding="utf-8")


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("directory", type=pathlib.Path)
  parser.add_argument("--took", required=True, help="how long it took")
  flags = parser.parse_args()
  refresh(flags.directory, flags.took)


if __name__ == "__main__":
  main()
