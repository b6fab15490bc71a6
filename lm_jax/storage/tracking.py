"""Sends what a run logs to its trackers (--trackers), whatever they do."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.storage import identity
from lm_jax.storage.log import write_atomically
from lm_jax.support import optional, registry
from lm_jax.support.errors import UsageError
from lm_jax.support.status import FAILED
from lm_jax.support.typed_json import read_as
from lm_jax.trackers import base
from lm_jax.trackers.base import Tracked, Tracker

ALONE = "lm_jax"  # the experiment of a run that is part of none
# Beside result.json: by which identifiers the run goes on.
FILE = "trackers.json"
Line = Mapping[str, Any]


def check(names: Sequence[str]) -> None:
  """Raises UsageError for a tracker that is unknown, twice or not installed."""
  for name in names:
    cls = _find(name)
    if names.count(name) > 1:
      raise UsageError(f"--trackers={','.join(names)}: {name} twice")
    if cls.package:
      optional.require(cls.package, f"--trackers={name}", cls.extra)


def _find(name: str) -> type[Tracker]:
  return registry.find(base.PACKAGE, name, Tracker, "--trackers")


@dataclasses.dataclass(frozen=True)
class _State:
  """The content of trackers.json.

  configuration: a hash of the run's; another one is another run.
  identifiers: by tracker.
  behind: by tracker that failed or was left out, the first step that it misses.
  """

  configuration: str
  identifiers: dict[str, str] = dataclasses.field(default_factory=dict)
  behind: dict[str, int] = dataclasses.field(default_factory=dict)


class Tracking:
  """The trackers of one run; those that fail are left out from then on.

  Used as a context, it tells them of an exception that ends the run. Only what
  was started is ended: of several processes the first alone logs.
  """

  def __init__(self, config: Config):
    self._config, self._step = config, 0
    self._trackers: dict[str, Tracker] = {}
    self._state = _State("")
    # By tracker, the (step, name) of each number that it has had.
    self._sent: dict[str, set[tuple[int, str]]] = {}

  def __enter__(self) -> Tracking:
    return self

  def __exit__(self, kind: Any, *_: object) -> None:
    if kind is not None:
      self.finish({"status": FAILED, "step": self._step, "metrics": {}})

  def start(self, step: int, lines: Sequence[Line]) -> None:
    """Begins or continues in every tracker.

    One that sees the run for the first time is sent what was logged before.

    Args:
      step: that the run continues from.
      lines: of metrics.jsonl, those after `step` included.
    """
    last = max([step, *(line["step"] for line in lines)])
    settings = config_lib.flat(self._config)
    self._state = self._read()
    # Until it is told that a tracker goes on, it misses all that follows.
    for name in self._state.identifiers:
      self._state.behind.setdefault(name, last + 1)
    for name in self._config.trackers:
      tracker = self._trackers[name] = _find(name)()
      self._sent[name] = set()
      known = self._state.identifiers.get(name, "")
      run = _tracked(self._config, step, known)
      # What fails here misses nothing that it had before.
      self._step = last + 1
      started = self._guard(name, lambda: tracker.start(run, settings))  # noqa: B023
      if name not in self._trackers:
        continue
      missed = self._state.behind.pop(name, 0) if started == known else 0
      self._state.behind.pop(name, None)
      if started:
        self._state.identifiers[name] = started
        self._keep()
        kept = [line for line in lines if line["step"] <= step]
        had = kept if tracker.rewinds else lines
        self._sent[name] = {
          key for line in had if line["step"] < missed for key in _keys(line)
        }
        self._send(name, kept)
    self._step = step
    self._keep()

  def log(self, line: Line) -> None:
    """Sends a line of metrics.jsonl.

    The costs of a step that is also measured stand in two lines: they are sent
    once.
    """
    self._step = line["step"]
    for name in list(self._trackers):
      self._send(name, [line])

  def finish(self, result: Mapping[str, Any]) -> None:
    """Ends the tracking with the content of result.json."""
    for name, tracker in list(self._trackers.items()):
      self._guard(name, lambda: tracker.finish(result))  # noqa: B023
    self._trackers.clear()

  def _send(self, name: str, lines: Iterable[Line]) -> None:
    for line in lines:
      self._step = line["step"]
      sent, tracker = self._sent[name], self._trackers.get(name)
      new = [key for key in _keys(line) if key not in sent]
      values = {n: line[n] for _, n in new if line[n] is not None}
      sent.update(new)
      if tracker is not None and values:
        self._guard(name, lambda: tracker.log(line["step"], values))  # noqa: B023

  def _guard(self, name: str, call: Callable[[], Any]) -> Any:
    """Calls a tracker; tells of what it raises, and leaves it out then."""
    try:
      return call()
    except Exception as error:
      del self._trackers[name]
      if name in self._state.identifiers:
        known = self._state.behind.get(name, self._step)
        self._state.behind[name] = min(known, self._step)
        self._keep()
      reason = " ".join(f"{type(error).__name__}: {error}".split())
      title = self._config.name or self._config.objective
      tqdm.write(
        f"lm_jax: --trackers={name}: {title} goes on without it: {reason:.300}",
        file=sys.stderr,
      )
      return None

  def _read(self) -> _State:
    """The tracking of this very run before."""
    path = Path(self._config.workdir, FILE)
    own = identity.fingerprint(self._config)
    state = read_as(path, _State) if path.exists() else _State(own)
    return state if state.configuration == own else _State(own)

  def _keep(self) -> None:
    if self._state.identifiers:
      text = json.dumps(dataclasses.asdict(self._state), indent=2) + "\n"
      write_atomically(Path(self._config.workdir, FILE), text)


def _keys(line: Line) -> list[tuple[int, str]]:
  """The (step, name) of each number of a line."""
  return [(line["step"], name) for name in line if name != "step"]


def _tracked(config: Config, step: int, identifier: str) -> Tracked:
  """A run's names: runs/NAME of an experiment's directory, or one by itself."""
  place = Path(config.workdir).absolute()
  root = place
  if config.arm and "runs" in place.parts:
    # A branch lies in its run's directory.
    last = len(place.parts) - 1 - place.parts[::-1].index("runs")
    root = Path(*place.parts[:last])
  name = config.name or place.name
  return Tracked(
    directory=str(place),
    root=str(root),
    experiment=root.name if root != place else ALONE,
    arm=config.arm or config.objective,
    name=name,
    step=step,
    identifier=identifier,
  )
