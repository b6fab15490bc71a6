"""Pages in Chinese: every text is said, names and commands stay."""

import html
import json
import pathlib
import re

import html_page
import pytest
import swept
from json_files import edited

from lm_jax import cli, config, report
from lm_jax.report import collect, joined, language, preregistered
from lm_jax.report.joined_parts import Part

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = sorted((ROOT / "docs" / "results").glob("*.md"))
CATALOG = (ROOT / "lm_jax" / "report" / "zh.po").read_text("utf-8")
ZH = language.load("zh")
# Two English words, or a name beside one; names of people and tools stay.
ENGLISH = re.compile(r"[A-Za-z]{2,}[,;:]? [a-z]{2,}")
NAMES = ("et al", "python launch.py", "launch.py compare")
# What people or models wrote: lines of a card, pictures' other texts, examples.
WRITTEN = re.compile(
  r"- (Question|Made by|Commit|Machine|问题|命令|机器)|!\[|  - |- .*\d+$"
  r"|\*\*.*\(\d+\)\*\*$"
)
ARMS = re.compile(r"[\w.-]+(, [\w.-]+)*")
CHINESE = re.compile("[\u4e00-\u9fff]")


def english(texts):
  """The texts that are English still."""
  left = []
  for text in texts:
    bare = text
    for name in NAMES:
      bare = bare.replace(name, "")
    known = ARMS.fullmatch(bare) or bare.startswith("版本：")
    if ENGLISH.search(bare) and not known:
      left.append(text)
  return left


def texts_of(page):
  """The texts of a page in Markdown, without what people or models wrote."""
  body = re.sub(r"(?ms)^(`{3,})text\n.*?^\1", "", page)
  card = body[body.index("\n- ") :].split("## What it shows")[0]
  for line in card.splitlines():
    if WRITTEN.match(line):
      continue
    text = html.unescape(re.sub(r"\\([\\`*|#~(])", r"\1", line))
    text = text.replace("**", "").strip()
    if text.startswith("| "):
      yield from re.split(r" *\| *", text.strip("| "))
    elif card := re.match(r"- ([^:]*): (.*)", text):
      yield from card.groups()
    elif text:
      yield text.removeprefix("## ")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_pages_of_all_experiments_can_be_said(path):
  """Those that are committed have most of what a page can say."""
  page = path.read_text("utf-8")
  if "\n- Question" not in page:
    pytest.skip("no page of an experiment")
  texts = list(texts_of(page))
  assert not english(map(ZH.say, texts))
  assert sum(bool(CHINESE.search(ZH.say(text))) for text in texts) > 50


def plain(experiment, tmp_path):
  return experiment(seeds=5)


def on_chinese(experiment, tmp_path):
  """What is told of pairs, labels, words and unknown tokens."""
  root = experiment(seeds=3, arms=("clm", "mlm"))
  counts = {"Han": {"swap": 72, "aspect": 11}, "Latin": {"inflection": 9}}
  own = {"corpus": "a.jsonl", "counts": counts, "by_frequency": 0.41}
  with edited(root / "experiment.json") as about:
    about["yardstick"] = {
      "pairs": [own, own | {"words": "Chinese by rjieba 0.2.2 and icu 78"}],
      "published": "2,000 of sling.jsonl, 40 paradigms, linked by sum",
    }
  for path in root.glob("runs/*/result.json"):
    with edited(path) as result:
      result["words"] = "Chinese by characters; Thai by icu 78.3"
      result["metrics"] |= {
        **{"probe/label/labels": 7, "probe/label": 0.3, "blimp": 0.6},
        **{"minimal_pairs/Han": 0.7, "minimal_pairs/classifier": 0.6},
        **{"minimal_pairs/aspect": 0.7, "minimal_pairs/order": 0.6},
      }
      result["likelihood"] |= {"unknown": 0.01}
      if path.parent.name.startswith("mlm"):
        result["likelihood"] |= {"unknown_bits": 0.02}
  return root


def few_pairs(experiment, tmp_path):
  return experiment(seeds=3, arms=("clm", "mlm"), items=20)


def few_seeds(experiment, tmp_path):
  return experiment(seeds=2, arms=("clm", "mlm", "rtd"))


def one_seed(experiment, tmp_path):
  return experiment(seeds=1, arms=("clm", "mlm"))


def unfinished(experiment, tmp_path):
  bad = {"clm-0": "unfinished", "mlm-1": "", "rtd-2": "failed"}
  return experiment(seeds=4, arms=("clm", "mlm", "rtd"), bad=bad)


def nothing_done(experiment, tmp_path):
  return experiment(
    seeds=1, arms=("clm", "mlm"), bad={"clm-0": "", "mlm-0": ""}
  )


def stated(root, **fields):
  """Gives an experiment of three arms a plan."""
  record = {
    **{"primary": "minimal_pairs", "smallest_effect": 5, "seeds": 3},
    **{"direction": "two-sided", "looks": [], "baseline": "clm"},
    **{"arms": ["clm", "mlm", "rtd"], "budgets": {}, "runs_before": 0},
    **fields,
  }
  digest = preregistered.digest(record)
  with edited(root / "experiment.json") as about:
    about["preregistered"] = record | {"digest": digest, "date": "2026-11-30"}
    about["stated"] = {name: record[name] for name in preregistered.FIELDS}
  return root


def confirmatory(experiment, tmp_path):
  return stated(experiment(seeds=3, arms=("clm", "mlm", "rtd")))


def one_sided(experiment, tmp_path):
  root = experiment(seeds=4, arms=("clm", "mlm", "rtd"))
  fields = {"smallest_effect": None, "direction": "higher", "runs_before": 2}
  return stated(root, arms=["clm", "mlm", "t5"], looks=[2, 3], **fields)


def sealed(experiment, tmp_path):
  bad = {"mlm-2": ""}
  return stated(experiment(seeds=3, arms=("clm", "mlm", "rtd"), bad=bad))


def tuned(experiment, tmp_path):
  root = experiment(seeds=3, arms=("clm", "mlm"))
  own = {
    **{"measure": "validation_loss", "flops": 2e12, "trials": [{"score": 3.5}]},
    **{"chosen": {"optimizer.learning_rate": "0.004"}},
    "best": [[1, 3.6, 3.5, 3.7], [2, 3.5, 3.4, 3.6]],
  }
  edge = own | {"boundary": ["optimizer.learning_rate"]}
  with edited(root / "experiment.json") as about:
    about["tuning"] = {
      **{"space": ["optimizer.learning_rate:log:0.0001:0.01"], "trials": 2},
      **{"studies": 3, "sampler": "sobol", "arms": {"clm": own, "mlm": edge}},
    }
  return root


def metrics(config):
  rate = config.optimizer.learning_rate
  loss = 3 + rate + 0.01 * config.seed
  return {"validation_loss": loss, "minimal_pairs": 0.6 + 10 * rate}


def swept_values(experiment, tmp_path):
  sweep = ["optimizer.learning_rate=1e-4,1e-3,1e-2"]
  return swept.write(tmp_path / "x", ["clm", "mlm"], sweep, metrics, seeds=3)


def swept_twice(experiment, tmp_path):
  sweeps = ["optimizer.learning_rate=1e-4,1e-3", "batch_size=8,16,32"]
  return swept.write(tmp_path / "x", ["clm"], sweeps, metrics)


@pytest.mark.parametrize(
  "make",
  [
    *(
      plain,
      on_chinese,
      few_pairs,
      few_seeds,
      one_seed,
      unfinished,
      nothing_done,
      confirmatory,
    ),
    *(one_sided, sealed, tuned, swept_values, swept_twice),
  ],
)
def test_every_text_of_a_page_is_said(make, experiment, tmp_path):
  root = make(experiment, tmp_path)
  with edited(root / "experiment.json") as about:
    about["question"] = "哪种预训练目标最好？"
  read = report.Report.load(root)
  read.write("zh")
  texts = list(texts_of((root / "report.md").read_text("utf-8")))
  assert not english(texts)
  page = html_page.strict((root / "report.html").read_text("utf-8"))
  assert page.all("html") == [{"lang": "zh-CN"}]
  kept = ("script", "style", "pre", "dd", "title")
  assert not english(x for tag, _, x in page.inside if tag not in kept)
  labels = [one.get("aria-label", "") for _, one in page.tags]
  assert not english(labels) and "目录" in labels
  for figure in page.data.values() if "data" in page.text else ():
    for trace in figure.values():
      assert not english([trace["label"], *trace["axes"]])
  assert [x for tag, _, x in page.inside if tag == "h2" and x] == [
    x for tag, _, x in page.inside if tag == "h2" and CHINESE.search(x)
  ]
  terminal = read.text("zh").split("基线", 1)[1]
  texts = [line for line in terminal.splitlines() if "  " not in line]
  assert len(texts) > 5 and not english(texts)


def test_arms_of_a_chinese_page_keep_names_and_colours(experiment):
  root = experiment(seeds=3, arms=("clm", "mlm"))
  for path in (root / "experiment.json", *root.glob("runs/mlm-*/result.json")):
    text = path.read_text("utf-8")
    path.write_text(text.replace('"arm": "mlm"', '"arm": "minimal pairs"'))
  pages = {}
  for code in ("en", "zh"):
    report.Report.load(root).write(code)
    pages[code] = html_page.strict((root / "report.html").read_text("utf-8"))
  english_page, chinese = pages["en"], pages["zh"]
  arms = [one.get("data-arm") for one in english_page.all("tr")]
  assert "1" in arms
  assert [one.get("data-arm") for one in chinese.all("tr")] == arms
  assert (
    chinese.all("dd")[1] == {"class": "answer"} == english_page.all("dd")[1]
  )
  names = {x for tag, _, x in chinese.inside if tag == "bdi"}
  assert "minimal pairs" in names


def test_english_is_as_it_was(experiment):
  """English is the default, and says what it was given."""
  root = experiment(seeds=3, arms=("clm", "mlm"))
  read = report.Report.load(root)
  assert read.text() == read.text("en") and "最小" not in read.text()
  text = "Interval: over seeds, 95 % each."
  assert language.load("en").say(text) == text


@pytest.mark.parametrize(
  ("text", "said"),
  [
    ("minimal pairs", "最小对立对"),
    ("Minimal pairs", "最小对立对"),
    ("worse than clm", "劣于 clm"),
    ("Baseline: clm.", "基线：clm。"),
    # What is unknown stays, beside what is known.
    ("Baseline: clm. A new sentence.", "基线：clm。A new sentence."),
    ("not shown; a new clause", "not shown; a new clause"),
    ("No rank: a and b at equal seconds; c at equal FLOPs. In brackets, the"
     " spend as a share of their runs'.",
     "无排名：同等秒数下的 a 和 b；同等 FLOPs 下的 c。括号内是该花费占其运行总"
     "花费的比例。"),
    ("No rank: a at equal seconds. No decayed model.",
     "无排名：同等秒数下的 a。No decayed model."),
    # Names may be Chinese, and are not touched.
    ("诗词v2 beats 评论 on minimal pairs", "诗词v2 在最小对立对上优于 评论"),
    ("1.912 [1.901, 1.923]", "1.912 [1.901, 1.923]"),
    ("", ""),
  ],
)  # fmt: skip
def test_texts(text, said):
  assert ZH.say(text).replace("于 评论", "于评论") == said.replace(
    "于 评论", "于评论"
  )


def test_lists_are_parted_outside_of_names_and_brackets():
  assert ZH.listed("bits per byte, at most and a (1, 2)") == (
    "每字节比特数（上界）和 a (1, 2)"
  )
  assert ZH.listed("a, b or c") == "a、b 或 c"
  assert ZH.listed("minimal pairs") == "最小对立对"


def test_the_catalog_is_whole():
  """Each text is there once, and what is said has the same placeholders."""
  keys = re.findall(r'^msgid (".+")$', CATALOG, re.M)
  said = re.findall(r'^msgstr (".+")$', CATALOG, re.M)
  assert len(keys) == len(said) == len(set(keys)) > 400
  for key, own in zip(
    map(json.loads, keys), map(json.loads, said), strict=True
  ):
    fields = set(re.findall(r"\{(\w+)", key))
    assert set(re.findall(r"\{(\w+)\}", own)) == fields, key
    assert set(re.findall(r":(\w)\}", key)) <= set("ntslac"), key
    assert CHINESE.search(own) or own == key or "{" in own, key


def test_a_joined_page(experiment, tmp_path):
  parts = []
  for name, arm in (("a", "clm"), ("b", "mlm")):
    root = experiment(arms=(arm, "rtd"), items=40).rename(tmp_path / name)
    read = collect.load(root)
    own = {run.name: run.arm for run in read.runs}
    parts.append(Part(read, own, {run.name: {} for run in read.runs}))
  both = joined.join(parts, tmp_path / "page", "the command")
  (tmp_path / "page").mkdir()
  report.Report(both).write("zh")
  page = (tmp_path / "page" / "report.md").read_text("utf-8")
  assert "事后才作比较" in page
  assert not english(texts_of(page))


@pytest.mark.parametrize("command", ["compare", "report"])
def test_an_unknown_language_is_a_line(command, tmp_path, capsys):
  where = f"--workdir={tmp_path / 'none'}"
  assert cli.main([command, "--language=fr", where]) == 2
  err = capsys.readouterr().err
  assert err.count("\n") == 1 and "--language=fr" in err and "zh" in err
  assert not (tmp_path / "none").exists()


def test_the_command_writes_it(experiment, capsys):
  root = experiment(seeds=3, arms=("clm", "mlm"))
  assert cli.main(["report", f"--workdir={root}", "--language=zh"]) == 0
  assert "基线：clm" in capsys.readouterr().out
  assert "基线：clm" in (root / "report.html").read_text("utf-8")
  words = [f"--workdir={root}", "--language=zh", "--format=markdown"]
  assert cli.main(["report", *words]) == 0
  assert "| 实验组 |" in capsys.readouterr().out


def test_no_run_has_a_language():
  """Neither its configuration nor its digest knows of it."""
  assert not [path for path in config.schema() if "language" in path]
