"""TensorBoard's event files, read without TensorBoard."""

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def read(directory) -> list[list[Event]]:
  """The events of each file of a run, in the order of their names."""
  return [_read(path) for path in sorted(Path(directory, "events").iterdir())]


def _read(path) -> list[Event]:
  data, events = path.read_bytes(), []
  while data:
    (length,) = struct.unpack("<Q", data[:8])
    events.append(Event.FromString(data[12 : 12 + length]))
    data = data[16 + length :]
  return events


def scalars(directory) -> list[tuple[int, str, float]]:
  """The (step, name, value) that TensorBoard shows of a run.

  Where a file says that a session starts, points from its step on are gone.
  """
  points: list[tuple[int, str, float]] = []
  for events in read(directory):
    for event in events:
      if event.HasField("session_log"):
        points = [point for point in points if point[0] < event.step]
      points += [
        (event.step, value.tag, value.simple_value)
        for value in event.summary.value
        if value.HasField("simple_value")
      ]
  return points
