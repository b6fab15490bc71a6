"""The memory that checkpoints take, and what orbax says of failed ones."""

import apart


def test_memory_is_a_copy_less_than_orbax_would_take(tmp_path):
  """Saved from where it lies, and read a part at a time.

  glibc keeps freed blocks of up to 32 MiB, by a threshold that moves as the
  program runs; fixed, what is resident is what is held.
  """
  script = """
import jax, jax.numpy as jnp, numpy as np, sys, threading, time
from pathlib import Path
from lm_jax.storage.checkpoint import Checkpoints

def own():
  text = Path("/proc/self/status").read_text()
  return int(text.split("RssAnon:")[1].split()[0]) << 10

def peak_of(work):
  done, peak = threading.Event(), [before := own()]
  def watch():
    while not done.is_set():
      peak.append(own())
      time.sleep(0.001)
  thread = threading.Thread(target=watch)
  thread.start()
  result = work()
  done.set()
  thread.join()
  return result, max(peak) - before

rng = np.random.default_rng(0)
def make():
  return {i: jnp.asarray(rng.random(2**21, np.float32)) for i in range(16)}
def save(to, tree):
  with Checkpoints(to, asynchronous=False) as checkpoints:
    checkpoints.save(1, {"params": tree}, {})
def restore(to, tree):
  with Checkpoints(to, read_only=True) as checkpoints:
    return checkpoints.restore_params(tree)[0]

small, large = {0: jnp.ones(3)}, make()
abstract = jax.eval_shape(lambda: large)
nbytes = sum(x.nbytes for x in large.values())
save(sys.argv[1] + "/small", small)  # compiles and imports
restore(sys.argv[1] + "/small", small)
_, peak = peak_of(lambda: save(sys.argv[1] + "/large", large))
print("save", peak / nbytes)
del large
_, peak = peak_of(lambda: restore(sys.argv[1] + "/large", abstract))
print("restore", peak / nbytes)
"""
  names = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
  fixed = dict.fromkeys(names, "1048576")
  done = apart.python("-c", script, tmp_path, **fixed)
  found = dict(line.split() for line in done.stdout.splitlines())
  assert float(found["save"]) < 0.5
  assert float(found["restore"]) < 1.5


NOISE = """
import asyncio, sys, types
from lm_jax.storage import orbax_noise

def told(error, frames=0):
  trace = error.__traceback__
  for _ in range(frames):
    trace = trace.tb_next
  sys.unraisablehook(types.SimpleNamespace(exc_type=type(error),
    exc_value=error, exc_traceback=trace, err_msg=None, object=None))

sys.unraisablehook = lambda args: print(repr(args.exc_value))
orbax_noise.drop()
orbax_noise.drop()
loop = asyncio.new_event_loop()
loop.close()
try:
  loop.call_soon_threadsafe(print)
except RuntimeError as error:
  told(error, 1)  # as from C++, without this frame
  told(error)
told(RuntimeError("a"))
"""


def test_what_comes_late_of_a_failed_save_is_dropped_and_nothing_else():
  assert apart.python("-c", NOISE).stdout.splitlines() == [
    "RuntimeError('Event loop is closed')",
    "RuntimeError('a')",
  ]
