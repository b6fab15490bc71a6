"""The ends of runs, and the exit codes of commands."""

DONE, DIVERGED, FAILED = "done", "diverged", "failed"
INTERRUPTED = "interrupted"
# The exit code of each, the worst first.
EXIT = {INTERRUPTED: 75, FAILED: 1, DIVERGED: 3, DONE: 0}
