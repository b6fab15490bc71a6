"""Faults, injected for real: signals, damaged files, full disks; no mocks.

One file a fault. Its docstring says what is done, and it has

  HOLDS   what must hold, a line;
  SHORT   the number of trials in the suite (0: none), and LONG in a soak;
  setup(folder) -> shared   what the trials share, made once (optional), and
      closed by its `close()`, if it has one;
  trial(seed, folder, shared)   injects one fault, drawn from the seed, in an
      empty folder of its own, and raises AssertionError unless what must hold
      does.

    python -m tests.faults                       # what there is
    python -m tests.faults kill --count=20 --first=100 --table=soak.jsonl
    python -m tests.faults --table=soak.jsonl    # the parts of a soak, summed

Trial n is drawn from seed n, so a failure is replayed by `--first=n --count=1`.
"""
