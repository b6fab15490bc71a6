"""TensorBoard's events in the run's directory: scalars and hyperparameters."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lm_jax.support.status import DONE, INTERRUPTED
from lm_jax.trackers import base

# Settings that are no hyperparameters: names, and which seed it is.
_NAMES = ("workdir", "name", "arm", "seed", "data.cache", "trackers")


class TensorBoard(base.Tracker):
  """Writes events/ of the run.

  Its settings and final metrics are a session of the HPARAMS tab, in which the
  seeds of an arm are a group.
  """

  rewinds = True

  def start(self, run: base.Tracked, settings: Mapping[str, Any]) -> str:
    # Here, before the training's clock runs: it takes more than a second where
    # it finds PyTorch, and the first run of several would pay for all.
    import tensorboardX.event_file_writer
    import tensorboardX.proto.plugin_hparams_pb2  # noqa: F401

    self._run, self._settings = run, settings
    self._writer: Any = None
    Path(run.directory, "events").mkdir(exist_ok=True)
    return ""

  def log(self, step: int, values: Mapping[str, float]) -> None:
    self._scalars(step, values)
    self._writer.flush()

  def finish(self, result: Mapping[str, Any]) -> None:
    if result["status"] != INTERRUPTED:
      self._scalars(int(result.get("step") or 0), base.finals(result))
      self._hyperparameters("session_end_info", _end(result["status"]))
    if self._writer is not None:
      self._writer.close()

  def _open(self) -> None:
    """Opens a file of its own; the first event does."""
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    # Without SummaryWriter's thread: where that cannot write it dies, and
    # a thread that waits for it waits for ever. Files of one second would
    # have the same name.
    place, step = Path(self._run.directory, "events/events"), self._run.step
    self._writer = EventsWriter(str(place), f".{step}")
    # TensorBoard forgets the events from the next step on.
    session = SessionLog(status=SessionLog.START)
    self._writer.write_event(Event(step=step + 1, session_log=session))
    start = _start(self._run, self._settings)
    self._hyperparameters("session_start_info", start)

  def _scalars(self, step: int, values: Mapping[str, float]) -> None:
    from tensorboardX.proto.summary_pb2 import Summary

    self._write(
      step,
      (Summary.Value(tag=n, simple_value=v) for n, v in values.items()),
    )

  def _hyperparameters(self, name: str, content: Any) -> None:
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

    plugin = SummaryMetadata.PluginData(
      plugin_name="hparams", content=content.SerializeToString()
    )
    metadata = SummaryMetadata(plugin_data=plugin)
    value = Summary.Value(tag=f"_hparams_/{name}", metadata=metadata)
    self._write(0, [value])

  def _write(self, step: int, values: Iterable[Any]) -> None:
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    if self._writer is None:
      self._open()
    summary = Summary(value=list(values))
    event = Event(wall_time=time.time(), step=step, summary=summary)
    self._writer.write_event(event)


def _start(run: base.Tracked, settings: Mapping[str, Any]) -> Any:
  from tensorboardX.proto.plugin_hparams_pb2 import (
    HParamsPluginData,
    SessionStartInfo,
  )

  info = SessionStartInfo(
    group_name=f"{run.experiment}/{run.arm}", start_time_secs=time.time()
  )
  own = {p: v for p, v in settings.items() if p not in _NAMES}
  for path, setting in (own | {"arm": run.arm}).items():
    value = base.plain(setting)
    if isinstance(value, bool):
      info.hparams[path].bool_value = value
    elif isinstance(value, int | float):
      info.hparams[path].number_value = value
    elif value:
      info.hparams[path].string_value = value
  return HParamsPluginData(session_start_info=info)


def _end(status: str) -> Any:
  from tensorboardX.proto.api_pb2 import Status
  from tensorboardX.proto.plugin_hparams_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
  )

  name = "STATUS_SUCCESS" if status == DONE else "STATUS_FAILURE"
  info = SessionEndInfo(status=Status.Value(name), end_time_secs=time.time())
  return HParamsPluginData(session_end_info=info)
