"""How tests compile, here and in the processes that they start."""

import importlib.metadata
import os
import pathlib
import tempfile

# Compiled with less care: three quarters of the suite's time would otherwise
# be compilation. Programs as small as ours gain nothing from being compiled in
# parts, by several threads.
QUICK = [
  "--xla_backend_optimization_level=0",
  "--xla_cpu_parallel_codegen_split_count=1",
]
if importlib.metadata.version("jax") < "0.11":  # then without old emitters
  QUICK.append("--xla_cpu_use_fusion_emitters=false")


# Compiled programs.
KEPT = pathlib.Path(tempfile.gettempdir(), f"lm_jax_tests-{os.getuid()}", "xla")


def compile_quickly() -> None:
  """Programs of this process, and of those it starts, are compiled quickly.

  What the user has set comes last, and so wins.
  """
  given = os.environ.get("XLA_FLAGS", "").split()
  flags = [flag for flag in QUICK if flag not in given]
  os.environ["XLA_FLAGS"] = " ".join(flags + given)


def keep_programs() -> None:
  """Keeps what this process compiles from suite to suite.

  All of it, where lm_jax keeps what took a while: the suite has thousands of
  programs that compile in a moment, and each is read in a tenth of that.
  """
  import jax

  from lm_jax.devices import program_cache

  enable = program_cache.enable

  def enable_all(directory: pathlib.Path) -> None:
    enable(directory)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

  program_cache.enable = enable_all
  enable_all(KEPT)


def devices(count: int) -> str:
  """XLA_FLAGS for a process that is to have so many devices."""
  own = f"--xla_force_host_platform_device_count={count}"
  return " ".join([os.environ.get("XLA_FLAGS", ""), own]).strip()
