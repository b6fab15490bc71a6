import apart
import events
import pytest
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from lm_jax.trackers.base import Tracked
from lm_jax.trackers.tensorboard import TensorBoard

SETTINGS = {"objective": "mlm", "length": 128, "adapt": None, "seed": 3}
SETTINGS |= {"trunk.bias": True, "data.fields": ["a", "b"], "name": "x"}


def _run(directory, step=0):
  return Tracked(str(directory), str(directory), "mine", "mlm", "mlm-0", step)


def _logged(directory, step, points, status="interrupted"):
  tracker = TensorBoard()
  assert not tracker.start(_run(directory, step), SETTINGS)
  for at, values in points:
    tracker.log(at, values)
  metrics = {"pairs": 0.5, "x": None}
  tracker.finish({"status": status, "step": 4, "metrics": metrics})


def test_a_run_that_goes_on_has_each_point_once(tmp_path):
  _logged(tmp_path, 0, [(1, {"loss": 1.0}), (2, {"loss": 0.5})])
  _logged(tmp_path, 1, [(2, {"loss": 0.25}), (3, {"a": 1.0, "b": 2.0})])
  # Two processes of the same second have a file of events each.
  assert len(list((tmp_path / "events").iterdir())) == 2
  assert events.scalars(tmp_path) == [
    (1, "loss", 1.0),
    (2, "loss", 0.25),
    (3, "a", 1.0),
    (3, "b", 2.0),
  ]


def _plugin(directory):
  """What the plugin of hyperparameters gets, by tag."""
  return {
    value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
    for file in events.read(directory)
    for event in file
    for value in event.summary.value
    if value.metadata.plugin_data.plugin_name == "hparams"
  }


def test_settings_and_final_metrics_are_a_session(tmp_path):
  _logged(tmp_path, 0, [(1, {"loss": 1.0})], "done")
  told = _plugin(tmp_path)
  start = told["_hparams_/session_start_info"].session_start_info
  assert start.group_name == "mine/mlm"  # the seeds of an arm
  values = {
    name: getattr(value, value.WhichOneof("kind"))
    for name, value in start.hparams.items()
  }
  assert values == {
    "objective": "mlm",
    "length": 128,
    "trunk.bias": True,
    "data.fields": "a,b",
    "arm": "mlm",
  }
  end = told["_hparams_/session_end_info"].session_end_info
  assert end.status == 1  # success
  # TensorBoard takes the session's metrics from its scalars.
  assert (4, "final/pairs", 0.5) in events.scalars(tmp_path)


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_session_that_was_cut_short(tmp_path, status):
  _logged(tmp_path, 0, [(1, {"loss": 1.0})], status)
  end = _plugin(tmp_path).get("_hparams_/session_end_info")
  assert (end is None) == (status == "interrupted")
  assert end is None or end.session_end_info.status == 2


def test_nothing_is_imported_while_the_clock_of_training_runs(tmp_path):
  """The first run of a process had 1.2 s less of a budget of seconds."""
  script = """
import sys
from lm_jax.storage.log import MetricsLog
from lm_jax.storage.tracking import Tracking
from lm_jax.config import Config
with Tracking(Config(workdir=sys.argv[1])) as tracking:
  with MetricsLog(sys.argv[1], 0, tracking) as log:
    before = set(sys.modules)
    log.write(1, {"loss": 1.0})
    print(len(set(sys.modules) - before))
"""
  assert apart.python("-c", script, tmp_path).stdout == "0\n"
