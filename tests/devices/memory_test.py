import apart

CODE = """
import resource, sys
from lm_jax.devices import memory
if sys.argv[1] == "keep":
  assert memory.keep_freed_memory()
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def touch():
  bytearray(64 << 20)
touch()
before = faults()
for _ in range(5):
  touch()
print(faults() - before)
"""


def _faults(mode):
  return int(apart.python("-c", CODE, mode).stdout)


def test_freed_memory_is_used_again():
  # 64 MiB are 16,384 pages; kept, they are touched for the first time once.
  assert _faults("keep") < 1000 < 40_000 < _faults("default")
