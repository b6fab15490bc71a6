"""A process that may not start the threads of array_record says so."""

import sys

import apart
import pytest

from lm_jax.data import threads

PROGRAM = """
import resource
from lm_jax.data import threads
from lm_jax.support.errors import UsageError
with open("/proc/self/statm") as file:
  size = int(file.read().split()[0]) * resource.getpagesize()
limit = size + (96 << 20)  # some eleven stacks
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 8 << 20))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
  threads.require()
except UsageError as error:
  print(error)
threads.require(2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
def test_too_few_threads_are_an_error_and_not_a_hang():
  done = apart.python("-c", PROGRAM)
  assert done.stdout.startswith("takes 64 threads to read")
  assert "ulimit -v" in done.stdout
  assert not done.stderr


def test_what_may_be_started_is_started_and_ends():
  before = threads.threading.active_count()
  threads.require(8)
  assert threads.threading.active_count() == before
