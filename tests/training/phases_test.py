"""Several objectives train one model: in turn, or by alternation."""

import numpy as np
import pytest
from tiny import metrics, pretrain, states, stop_at, without_yardsticks

from lm_jax.config.budget import Budget, Ledger
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data import rows as rows_lib
from lm_jax.storage.digest import digest, flatten
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble
from lm_jax.training.alternation import Alternation

OPTIONS = {
  "length": 32,
  "batch_size": 4,
  "budget": "steps:10",
  "eval_every": 1000,
}
# With a vocabulary of its own, that clm and mlm share.
LEARNED = {
  "layers": 1,
  "width": 32,
  "heads": 2,
  "feedforward": 64,
  "positions": "learned",
}


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
  without_yardsticks(monkeypatch)


def test_one_phase_is_the_objective_alone(tiny, tmp_path):
  """The same bits, and the same record but for the option itself."""
  plain = tiny.config(tmp_path / "plain", objective="mlm")
  phased = tiny.config(tmp_path / "phased", phases="mlm:1")
  one, other = pretrain(plain), pretrain(phased)
  assert one["digest"] == other["digest"]
  assert one["ledger"] | {"seconds": 0} == other["ledger"] | {"seconds": 0}


def test_flops_add_up(tiny, tmp_path):
  """Each phase's steps cost what they do in a run of that objective."""
  cost = {}
  for name in ("clm", "mlm"):
    alone = tiny.config(tmp_path / name, objective=name, budget="steps:1")
    cost[name] = pretrain(alone)["ledger"]["flops"]
  assert cost["clm"] > cost["mlm"]
  config = tiny.config(tmp_path / "both", phases="clm:0.5,mlm:0.5")
  ledger = pretrain(config)["ledger"]
  assert ledger["flops"] == 3 * cost["clm"] + 3 * cost["mlm"]
  assert ledger["steps"] == 6
  spent = [x["flops"] for x in metrics(config.workdir) if "loss" in x]
  steps = np.diff([0, *spent]).tolist()
  assert steps == [cost["clm"]] * 3 + [cost["mlm"]] * 3


def test_a_phase_takes_the_steps_of_its_objective(tiny, tmp_path):
  """The first ones are those of a run of it; the others go on from there."""
  options = {"checkpoint_every": 3, "keep_every": 3, "trunk": LEARNED}
  config = tiny.config(tmp_path / "both", phases="clm:0.5,mlm:0.5", **options)
  pretrain(config)
  alone = tiny.config(tmp_path / "clm", objective="clm", **options)
  pretrain(alone)
  both, first = states(config), states(alone)
  assert digest(both[3]) == digest(first[3])
  masked = tiny.config(objective="mlm", **options)
  dataset = rows_lib.load(masked.data, masked.length)
  program = assemble.make_program(masked, dataset)
  state = first[3]
  for step in (3, 4, 5):
    rows = program.place_rows(dataset.batch(0, step, masked.batch_size))
    state, _ = program.step(state, rows, np.float32((step + 1) / 6))
  # Both programs count their own targets.
  assert digest(state.params) == digest(both[6].params)
  assert digest(state.optimizer) == digest(both[6].optimizer)


def test_a_phase_leaves_what_it_does_not_use(tiny, tmp_path):
  """Parameters, moments, decay and steps of a generator and of heads."""
  options = OPTIONS | {"checkpoint_every": 1, "keep_every": 1}
  optimizer = OptimizerOptions(learning_rate=1e-2, weight_decay=0.5)
  options |= {"trunk": LEARNED | {"output_transform": True}}
  config = tiny.config(
    tmp_path, phases="rtd:0.5,mlm:0.5", optimizer=optimizer, **options
  )
  pretrain(config)
  kept = states(config)
  old, middle, new = (flatten(kept[step]) for step in (1, 5, 10))
  own = ("stack_generator", "output_generator", "heads_replaced")
  rtd = [name for name in old if any(part in name for part in own)]
  of_mlm = [name for name in old if "output_main" in name]
  assert len(rtd) > 20 and len(of_mlm) >= 3
  for name in rtd:
    np.testing.assert_array_equal(middle[name], new[name], err_msg=name)
  for name in of_mlm:
    np.testing.assert_array_equal(old[name], middle[name], err_msg=name)
  trained = [n for n in rtd if n.startswith("params") and "kernel" in n]
  trained += [n for n in of_mlm if n.startswith("params") and "kernel" in n]
  changed = [n for n in trained if (old[n] != new[n]).any()]
  assert changed == trained
  counts = {n: int(x) for n, x in new.items() if n.endswith(".count")}
  assert sorted(counts.values()) == [5, 5, 10], counts


def test_each_phase_has_a_warm_up(tiny, tmp_path):
  """--phase_schedule=each is two schedules one after the other."""
  rates = {}
  for name, more in {
    "each": {"phases": "clm:0.5,mlm:0.5", "phase_schedule": "each"},
    "half": {"objective": "clm", "budget": "steps:10"},
    "whole": {"phases": "clm:0.5,mlm:0.5"},
    "plain": {"objective": "clm"},
  }.items():
    optimizer = OptimizerOptions(warmup=0.3, final=0.1)
    options = OPTIONS | {"budget": "steps:20", "optimizer": optimizer} | more
    config = tiny.config(tmp_path / name, **options)
    pretrain(config)
    lines = [x for x in metrics(config.workdir) if "loss" in x]
    rates[name] = [x["learning_rate"] for x in lines]
  np.testing.assert_allclose(rates["each"], 2 * rates["half"], rtol=1e-5)
  np.testing.assert_allclose(rates["whole"], rates["plain"], rtol=1e-5)


@pytest.mark.parametrize("currency", ["flops", "tokens", "targets", "seconds"])
def test_phases_follow_any_budget(currency, tiny, tmp_path):
  """The first phase ends with the step that reaches its share."""
  amount = {"flops": int(1e8), "tokens": 2000, "targets": 1500, "seconds": 0.3}
  config = tiny.config(
    tmp_path,
    phases="clm:0.4,mlm:0.6",
    budget=f"{currency}:{amount[currency]}",
    eval_every=10**6,
    checkpoint_every=0,
  )
  result = pretrain(config)
  assert result["status"] == "done"
  lines = [x for x in metrics(tmp_path) if "loss" in x]
  flops = np.diff([0, *(line["flops"] for line in lines)])
  costly = flops == flops.max()  # of clm, with logits at every position
  assert 0 < costly.sum() < len(lines)
  assert (np.diff(costly.astype(int)) <= 0).all()
  last = int(costly.sum()) - 1
  share = [line[currency] / amount[currency] for line in lines]
  assert share[last] >= 0.4
  if currency != "seconds":
    assert share[last - 1] < 0.4
    assert result["ledger"][currency] <= amount[currency] * 1.2


def test_a_cycle_alternates(tiny, tmp_path):
  """The number of the step alone says whose turn it is; budgets are kept."""
  cost = {}
  for name in ("clm", "mlm"):
    alone = tiny.config(tmp_path / name, objective=name, budget="steps:1")
    cost[name] = pretrain(alone)["ledger"]["flops"]
  order = ["clm", "clm", "mlm"] * 3
  total = sum(cost[name] for name in order[:8])
  config = tiny.config(
    tmp_path / "both",
    phases="clm:2,mlm:1",
    phase_cycle="steps:3",
    budget=f"flops:{total + cost['mlm'] - 1}",
  )
  ledger = pretrain(config)["ledger"]
  assert (ledger["steps"], ledger["flops"]) == (8, total)
  spent = [x["flops"] for x in metrics(config.workdir) if "loss" in x]
  steps = np.diff([0, *spent]).tolist()
  assert steps == [cost[name] for name in order[:8]]


@pytest.mark.parametrize("spent", range(5))
def test_steps_of_a_cycle_are_counted(spent):
  """Against a walk over all of them."""

  class Fixed:
    def __init__(self, flops):
      self.flops, self.positions = flops, 1

    def steps(self, budget, ledger):
      return budget.steps(self.flops, self.positions, ledger)

  costs = [7, 7, 2, 5]
  turns = Alternation([Fixed(7), Fixed(2), Fixed(5)], [2, 1, 1])
  ledger = Ledger(steps=spent, flops=sum((costs * 2)[:spent]))
  for amount in range(30, 120):
    left, count = amount - ledger.flops, spent
    while left >= costs[count % 4]:
      left -= costs[count % 4]
      count += 1
    assert turns.steps(Budget("flops", amount), ledger) == count


# Of parameters that all phases share, of some that only one has, with stages.
KINDS = {
  "shares": {"phases": "clm:0.3,mlm(rate=0.3):0.7"},
  "each": {"phases": "clm:0.3,mlm:0.7", "phase_schedule": "each"},
  "own": {"phases": "rtd:0.3,mlm:0.3,clm:0.4"},
  "cycle": {"phases": "rtd:2,clm:1", "phase_cycle": "steps:3"},
  "stages": {"phases": "clm:0.3,mlm:0.7", "curriculum": "0.6:16"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_in_the_phase_where_it_was(
  kind, tiny, tmp_path, monkeypatch
):
  """Stopped before, at and after the borders: the same bits in the end."""
  options = OPTIONS | KINDS[kind]
  whole = tiny.config(tmp_path / "whole", **options)
  digest = pretrain(whole)["digest"]
  parts = tiny.config(tmp_path / "parts", **options)
  stop_at(monkeypatch, {1, 2, 3, 5, 6})
  for steps in (2, 3, 4, 6, 7):
    result = pretrain(parts)
    assert (result["status"], result["step"]) == ("interrupted", steps)
  result = pretrain(parts)
  assert (result["status"], result["digest"]) == ("done", digest)
  assert [x["step"] for x in metrics(parts.workdir) if "loss" in x] == [
    *range(1, 11)
  ]
  assert 10 in states(parts)


@pytest.mark.parametrize(
  "changes",
  [
    {
      "phases": "prefix_lm:0.5,span_corruption:0.5",
      "architecture": "encoder_decoder",
    },
    {"phases": "prefix_lm:0.5,hybrid:0.5", "accumulate": 2},
  ],
)
def test_stacks_of_other_kinds_have_phases(changes, tiny, tmp_path):
  config = tiny.config(tmp_path, eval="none", budget="steps:2", **changes)
  result = pretrain(config)
  assert (result["status"], result["step"]) == ("done", 2)


@pytest.mark.parametrize("phases", ["clm:0.95,mlm:0.05", "clm:0.94,mlm:0.06"])
def test_a_phase_without_a_step_is_one_line(tiny, tmp_path, phases):
  config = tiny.config(tmp_path / "run", phases=phases, budget="steps:10")
  with pytest.raises(UsageError) as error:
    pretrain(config)
  assert "of --budget=steps:10 no step is left for mlm" in str(error.value)
  enough = tiny.config(
    tmp_path / "on", phases="clm:0.9,mlm:0.1", budget="steps:10"
  )
  assert pretrain(enough)["status"] == "done"
