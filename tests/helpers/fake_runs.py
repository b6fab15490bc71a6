"""Runs that train nothing and end as they are told."""

import functools
import json
import pathlib
import types

from lm_jax import config as config_lib


class FakeRuns:
  """Ends runs by `outcomes`, a status or an exception by name; else "done".

  configs: of those that were executed, in their order.
  """

  def __init__(self, outcomes=None):
    self.outcomes, self.configs = outcomes or {}, []

  def execute(self, config, progress=True):
    """Leaves what a run leaves behind, but for its checkpoints."""
    self.configs.append(config)
    path = pathlib.Path(config.workdir)
    path.mkdir(parents=True, exist_ok=True)
    text = config_lib.to_json(config_lib.resolve(config))
    (path / "config.json").write_text(text)
    outcome = self.outcomes.get(config.name, "done")
    if isinstance(outcome, BaseException):
      raise outcome
    result = {"status": outcome, "step": 1, "metrics": {"loss": 2.5}}
    if outcome != "interrupted":
      (path / "result.json").write_text(json.dumps(result))
    return result

  def run(self, config):
    """Makes the run of a configuration, as lm_jax.runs.local takes it."""
    return types.SimpleNamespace(
      config=config, execute=functools.partial(self.execute, config)
    )
