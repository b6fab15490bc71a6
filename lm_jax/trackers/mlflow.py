"""MLflow: a server, or files in the experiment's directory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_jax.support.status import DONE, INTERRUPTED
from lm_jax.trackers import base

_ENDS = {DONE: "FINISHED", INTERRUPTED: "KILLED"}
_MOST = 100  # parameters of a request
_LONGEST = 6000  # characters of a parameter


class MLflow(base.Tracker):
  """Sends a run to MLFLOW_TRACKING_URI, or writes mlruns/ of the experiment.

  The experiment is MLFLOW_EXPERIMENT_NAME, or called as the experiment's
  directory is; the arm is a tag. A "/" of a metric's name becomes a dot: in
  files, a metric and a part of it could not both be there.
  """

  package = "mlflow"
  extra = "mlflow"

  def start(self, run: base.Tracked, settings: Mapping[str, Any]) -> str:
    # Else a server that is gone would hold up training for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    place = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not place:
      # Later versions want a database, unless they are told.
      os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
      place = Path(run.root, "mlruns").resolve().as_uri()
    from mlflow.entities import Param
    from mlflow.tracking import MlflowClient

    self._client = MlflowClient(place)
    if self._continue(run.identifier):
      return run.identifier
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.experiment
    created = self._client.create_run(
      self._experiment(name),
      run_name=run.name,
      tags={"experiment": run.experiment, "arm": run.arm},
    )
    self._identifier = str(created.info.run_id)
    params = [
      Param(path, str(value)[:_LONGEST])
      for path, setting in settings.items()
      if (value := base.plain(setting)) not in (None, "")
    ]
    for first in range(0, len(params), _MOST):
      part = params[first : first + _MOST]
      self._client.log_batch(self._identifier, params=part)
    return self._identifier

  def log(self, step: int, values: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = int(1000 * time.time())
    metrics = [
      Metric(_name(name), value, now, step) for name, value in values.items()
    ]
    self._client.log_batch(self._identifier, metrics=metrics)

  def finish(self, result: Mapping[str, Any]) -> None:
    self.log(int(result.get("step") or 0), base.finals(result))
    self._client.set_tag(self._identifier, "status", result["status"])
    end = _ENDS.get(result["status"], "FAILED")
    self._client.set_terminated(self._identifier, end)

  def _continue(self, identifier: str) -> bool:
    """Returns whether there is such a run, and lets it go on."""
    from mlflow.exceptions import MlflowException

    if not identifier:
      return False
    try:
      self._client.update_run(identifier, status="RUNNING")
    except MlflowException:  # in another place, or removed
      return False
    self._identifier = identifier
    return True

  def _experiment(self, name: str) -> str:
    from mlflow.exceptions import MlflowException

    known = self._client.get_experiment_by_name(name)
    if known is None:
      try:
        return str(self._client.create_experiment(name))
      except MlflowException:  # another process was faster
        known = self._client.get_experiment_by_name(name)
        if known is None:
          raise
    return str(known.experiment_id)


def _name(name: str) -> str:
  """A metric's name of letters, digits and the signs that MLflow takes."""
  return re.sub(r"[^\w.\- :]", ".", name)
