"""STS-B from GLUE's tables to its correlations, by a head of one output."""

import json

import numpy as np

from lm_jax import cli
from lm_jax.finetuning import recipe
from lm_jax.tasks.stsb import Stsb

WORDS = ["lovely", "bright", "warm", "kind"]
FAST = (
  *("--size=nano", "--length=32", "--batch_size=16", "--log_every=4"),
  *("--data.tokenizer=bytes", "--data.vocabulary_size=400"),
  *("--data.sentinels=8", "--optimizer.learning_rate=5e-3"),
  *("--objective.dropout=0", "--eval_every=50", "--epochs=8"),
)


def write(folder):
  rng = np.random.default_rng(0)
  for name, count in (("train", 160), ("dev", 40)):
    rows = ["index\tsentence1\tsentence2\tscore"]
    for number in range(count):
      same = int(rng.integers(2))
      word = str(rng.choice(WORDS[:2] if same else WORDS[2:]))
      rows.append(f"{number}\ta film\t{word}\t{4 if same else 1}.{number % 4}0")
    (folder / f"{name}.tsv").write_text("\n".join(rows) + "\n")


def test_a_run_learns_scores(tmp_path, capsys):
  write(tmp_path)
  directory = tmp_path / "run"
  code = cli.main(
    [
      *("finetune", "--task=stsb", f"--task_data={tmp_path}", *FAST),
      f"--workdir={directory}",
    ]
  )
  assert code == 0
  result = json.loads((directory / "result.json").read_text())
  assert result["objective"] == "regress"
  assert result["metrics"]["stsb/pearson"] > 0.9
  assert result["metrics"]["stsb/spearman"] > 0.6
  assert result["selected"]["metric"] == "dev_pearson"
  lines = (directory / "predictions.jsonl").read_text().splitlines()
  told = [json.loads(line) for line in lines]
  assert len(told) == 40  # dev.tsv stands in for a test split
  score = 1 - abs(told[0]["predicted"] - float(told[0]["label"])) / 5
  assert np.isclose(told[0]["score"], score)


def test_what_has_no_head_writes_the_score():
  assert recipe.objective_for(Stsb(), "encoder_decoder") == "respond"
  assert recipe.objective_for(Stsb(), "causal_decoder") == "regress"
