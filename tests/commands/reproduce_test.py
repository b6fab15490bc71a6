"""`reproduce`: lists, says why not, and runs a claim from end to end."""

import json
import textwrap

import pytest

from lm_jax import cli
from lm_jax.commands import reproduce
from lm_jax.published import Scale, files, outcome
from lm_jax.runs import protocol, protocol_run


def test_all_claims_are_listed(capsys):
  assert cli.main(["reproduce", "--list"]) == 0
  out = capsys.readouterr().out
  lines = {line.split()[0]: line for line in out.splitlines()}
  assert list(lines) == list(files.paths())
  assert "Clark" in lines["electra_small"]
  assert "scaled down" in lines["electra_small"]
  assert "in full" in lines["nanogpt_cpu"]
  assert "can't be run" in lines["wang_finetuned"]


def test_why_a_claim_is_not_run(capsys, tmp_path):
  names = [
    "nanogpt_gpu",
    "wang_finetuned",
    "electra_small",
    "babylm_gpt2_blimp",
  ]
  (tmp_path / "tinyshakespeare.txt").write_text("To be or not")
  flags = [f"--data={tmp_path}", "--hours=0.001", f"--workdir={tmp_path}/out"]
  assert cli.main(["reproduce", *names, *flags]) == 0
  out = capsys.readouterr().out.splitlines()
  said = dict(line.split(": ", 1) for line in out)
  assert said["nanogpt_gpu"] == ("not run here: needs a gpu, and there is cpu")
  assert "can't be expressed" in said["wang_finetuned"]
  assert said["electra_small"].startswith(
    "not run here, scaled down: takes 50 s a seed on two CPU cores, above"
  )
  assert (
    "needs babylm-baseline-10m-gpt2 and blimp.jsonl"
    in (said["babylm_gpt2_blimp"])
  )
  assert not (tmp_path / "out").exists()


def test_published_flops_are_computed(capsys):
  assert cli.main(["reproduce", "electra_flops"]) == 0
  out = capsys.readouterr().out
  assert out.startswith("electra_flops: reproduced\n")
  assert out.count("reproduced; published") == 3


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["electra_flop"], "did you mean electra_flops"),
    (["--data=absent"], "--data=absent: absent: no such directory"),
    (["--table=absent/page.md"], "--table=absent/page.md: absent: no such"),
    (["--scale=half"], "--scale=half: unknown. Valid: small, full"),
    (["--seeds=-1"], "--seeds=-1: must be at least 0"),
    (["absent.py"], "reproduce=absent.py: no such file"),
  ],
)
def test_bad_input_is_a_line(argv, message, capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert cli.main(["reproduce", *argv]) == 2
  err = capsys.readouterr().err
  assert message in err and err.count("\n") == 1
  assert not list(tmp_path.iterdir())


CLAIM = '''
"""Does it learn?

Command: python launch.py reproduce mine
"""

from lm_jax.config import Config
from lm_jax.data.options import DataOptions
from lm_jax.published import Claim, Number, Order, Paper, Scale

BASELINE = "short"
SEEDS = 3
CLAIM = Claim(
  statement="More steps are better.",
  paper=Paper("Mine", "Me", 2026, "arXiv:0000.00000"),
  table="table 1",
  parts=(Order("long", "short", "1 against 2"), Number("long", 0.0, 0.01)),
  data="words",
  checked="here",
  full=Scale("a large machine", 1000.0, "validation_loss", 0.1, seeds=3),
  small=Scale(
    "a small machine", 0.01, "validation_loss", 0.1, seeds=3,
    corpus="words", differs="all", caution="it is small",
  ),
)


def runs():
  return [
    Config(
      objective="clm", arm=arm, size="nano", length=32, batch_size=4,
      budget=budget, eval="loss", log_every=1, checkpoint_every=0,
      trunk={{"layers": 1, "width": 32, "heads": 2, "feedforward": 64}},
      data=DataOptions(tokenizer="bytes", sentinels=5, cache={cache!r}),
    )
    for arm, budget in (("short", "steps:1"), ("long", "steps:30"))
  ]
'''


def test_a_claim_from_end_to_end(tiny, tmp_path, capsys):
  """A user's own claim: its runs, verdict, page; again, it is reused."""
  (tmp_path / "data").mkdir()
  (tmp_path / "data/words").symlink_to(tiny.corpus)
  path = tmp_path / "mine.py"
  path.write_text(textwrap.dedent(CLAIM.format(cache=str(tiny.cache))))
  table = tmp_path / "page.md"
  argv = ["reproduce", str(path), f"--data={tmp_path}/data"]
  argv += [f"--workdir={tmp_path}/out", f"--table={table}"]
  assert cli.main(argv) == 0
  out = capsys.readouterr().out
  assert out.startswith("mine: different, scaled down\n")
  assert "  long above short: reproduced; published 1 against 2; here −" in out
  assert "  long ± 0.01: different; published 0; here " in out
  (known,) = outcome.read(table.with_suffix(".json")).values()
  assert (known.seeds, known.scale) == (3, "scaled down")
  assert known.date and known.machine
  assert str(tmp_path / "data") not in known.command
  about = json.loads((tmp_path / "out/mine/experiment.json").read_text())
  assert about["command"] == known.command
  assert len(about["runs"]) == 6
  assert cli.main(argv) == 0
  again = capsys.readouterr()
  assert "6 of 6 runs are complete and reused" in again.err
  assert again.out == out
  assert cli.main([*argv, "--scale=full"]) == 0
  assert "takes 1,000 hours a seed on a large machine" in (
    capsys.readouterr().out
  )


def test_models_are_fine_tuned_for_the_tasks_of_a_claim(tmp_path, monkeypatch):
  """By a protocol of `finetune`, from local files where there are some."""
  run = tmp_path / "out/runs/a-seed0"
  run.mkdir(parents=True)
  (run / "result.json").write_text(json.dumps({"status": "done"}))
  about = {"runs": [{"name": "a-seed0", "arm": "a", "seed": 0}]}
  (tmp_path / "out/experiment.json").write_text(json.dumps(about))
  (tmp_path / "data/more").mkdir(parents=True)
  (tmp_path / "data/more/rte_test.jsonl.gz").touch()
  asked = []

  def main(given, command):
    asked.append(protocol.read(given))
    return 0

  monkeypatch.setattr(protocol_run, "main", main)
  scale = Scale("here", 1.0, seeds=4, tasks=("sst2", "rte"))
  data = str(tmp_path / "data")
  assert reproduce._finetune(str(tmp_path / "out"), scale, data, "line") == 0
  (one,) = asked
  assert [arm.name for arm in one.arms] == ["a"]
  assert (one.tasks, one.seeds) == (("sst2", "rte"), 4)
  assert one.task_data == {"rte": f"{data}/more/rte"}
  assert one.directory == str(tmp_path / "out/finetuned")
