import jax
import jax.numpy as jnp
import toy

from lm_jax.devices import compilation


def _temporary(options):
  """Bytes that a training step takes besides its arguments."""
  program = toy.program("clm", length=128, layers=3)
  step = jax.jit(program.train_step, compiler_options=options)
  fraction = jax.ShapeDtypeStruct((), jnp.float32)
  compiled = step.lower(program.abstract, program._rows, fraction).compile()
  return compiled.memory_analysis().temp_size_in_bytes


def test_a_step_is_ordered_for_memory():
  assert compilation.options()
  assert _temporary(compilation.options()) < _temporary(None)


def test_a_version_of_xla_without_the_option_compiles_without(monkeypatch):
  compilation.options.cache_clear()
  monkeypatch.setattr(compilation, "_CPU", {"xla_no_such_option": True})
  try:
    assert compilation.options() is None
  finally:
    compilation.options.cache_clear()
