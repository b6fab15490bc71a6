"""The ends of runs, and the exit codes of commands."""

import typing
from typing import Literal

Status = Literal["interrupted", "failed", "diverged", "paused", "done"]
INTERRUPTED, FAILED, DIVERGED, PAUSED, DONE = typing.get_args(Status)
# The exit code of each, the worst first.
EXIT = {INTERRUPTED: 75, FAILED: 1, DIVERGED: 3, PAUSED: 0, DONE: 0}
