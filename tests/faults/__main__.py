"""The command line of the soak: parts of it, and their sum."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# Helpers of the tests lie beside this folder.
sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from . import soak


def main() -> int:
  parser = argparse.ArgumentParser(prog="python -m tests.faults")
  parser.add_argument("faults", nargs="*", help="none: list them, or sum up")
  parser.add_argument("--count", type=int, help="trials; the fault's LONG")
  parser.add_argument("--first", type=int, default=0, help="the first seed")
  parser.add_argument("--table", type=Path, help="JSON lines to append to")
  parser.add_argument("--keep", type=Path, help="a folder for what failed")
  options = parser.parse_args()
  known = soak.names()
  for name in options.faults:
    if name not in known:
      parser.error(f"{name}: no such fault; there are {', '.join(known)}")
  if not options.faults:
    print(soak.table(options.table) if options.table else soak.listing())
    return 0
  failed = False
  for name in options.faults:
    tally = soak.run(
      name, options.count, options.first, progress=True, keep=options.keep
    )
    print(tally.line(), flush=True)
    if options.table:
      tally.append(options.table)
    failed |= tally.held < tally.tried
  return int(failed)


if __name__ == "__main__":
  sys.exit(main())
