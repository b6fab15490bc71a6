"""What XLA is told by tests, here and in the processes that they start."""

import importlib.metadata
import os

# Compiled with less care: three quarters of the suite's time would otherwise
# be compilation.
QUICK = ["--xla_backend_optimization_level=0"]
if importlib.metadata.version("jax") < "0.11":  # then without old emitters
  QUICK.append("--xla_cpu_use_fusion_emitters=false")


def compile_quickly() -> None:
  """Programs of this process, and of those it starts, are compiled quickly.

  What the user has set comes last, and so wins.
  """
  given = os.environ.get("XLA_FLAGS", "").split()
  flags = [flag for flag in QUICK if flag not in given]
  os.environ["XLA_FLAGS"] = " ".join(flags + given)


def devices(count: int) -> str:
  """XLA_FLAGS for a process that is to have so many devices."""
  own = f"--xla_force_host_platform_device_count={count}"
  return " ".join([os.environ.get("XLA_FLAGS", ""), own]).strip()
