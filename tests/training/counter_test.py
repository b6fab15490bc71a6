import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.config import budget as budget_lib
from lm_jax.config.budget import Budget, Ledger
from lm_jax.support.errors import UsageError
from lm_jax.training import counter as counter_lib


def test_budgets_are_read_exactly():
  assert Budget.parse("flops:3e13") == Budget("flops", 3 * 10**13)
  assert Budget.parse("tokens:9007199254740993").amount == 2**53 + 1
  assert Budget.parse("seconds:1.5") == Budget("seconds", 1.5)
  for currency in budget_lib.CURRENCIES:
    budget = Budget.parse(f"{currency}:7")
    assert Budget.parse(str(budget)) == budget


_NONSENSE = """
  1e13 flop:1e13 Tokens:5 flops flops: flops:-1 flops:0 flops:nan steps:inf
  steps:1e999999999 flops:3,4 steps:2.5 seconds:-1 flops:1e13:2
"""


@pytest.mark.parametrize("text", ["", *_NONSENSE.split()])
def test_nonsense_is_one_clear_line(text):
  with pytest.raises(UsageError) as error:
    Budget.parse(text)
  message = str(error.value)
  assert message.startswith(f"--budget={text}: ")
  assert "\n" not in message
  assert "e3" in message or "flops:3e13" in message
  if text.partition(":")[0] not in budget_lib.CURRENCIES:
    assert all(currency in message for currency in budget_lib.CURRENCIES)


def test_steps_never_exceed_the_budget():
  assert Budget.parse("flops:100").steps(33, 1) == 3
  assert Budget.parse("flops:99").steps(33, 1) == 3
  assert Budget.parse("flops:98").steps(33, 1) == 2
  assert Budget.parse("positions:1e6").steps(33, 4096) == 244
  assert Budget.parse("steps:12").steps(33, 4096) == 12
  # float division would give one step too many.
  assert Budget("flops", 3 * 10**17 - 1).steps(10**17, 1) == 2
  for currency in ("tokens", "targets", "seconds"):
    assert Budget.parse(f"{currency}:5").steps(33, 4096) is None
  with pytest.raises(UsageError, match="one step costs 33 flops"):
    Budget.parse("flops:32").steps(33, 1)


def test_counters_carry_and_stay_exact():
  add = jax.jit(counter_lib.add)
  n = 2**31 - 1

  @jax.jit
  def many(counter):
    return jax.lax.fori_loop(
      0, 2**14, lambda _, c: counter_lib.add(c, jnp.int32(n)), counter
    )

  counter, expected = counter_lib.zero(), 0
  for i in range(3):
    counter, expected = add(many(counter), jnp.int32(i)), expected + n * 2**14
    expected += i
    assert counter_lib.value(counter) == expected
  counter = jnp.array([2**32 - 1, 2**28], jnp.uint32)  # beyond 2^60
  assert counter_lib.value(add(counter, jnp.int32(1))) == 2**60 + 2**32
  assert counter_lib.value(add(counter, jnp.int32(0))) == 2**60 + 2**32 - 1
  assert counter.dtype == add(counter, jnp.int32(1)).dtype


def test_the_share_on_the_device_is_that_on_the_host():
  for count, amount in ((5, 7), (2**32 - 1, 2**33), (2**41 + 3, 3 * 10**12)):
    counter = jnp.asarray([count % 2**32, count >> 32], jnp.uint32)
    found = jax.jit(counter_lib.share, static_argnums=1)(counter, amount)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, count / amount, rtol=3e-7)


def test_a_ledger_sums_and_survives_json():
  spent = Ledger()
  for _ in range(3):
    spent.charge(flops=2**60 + 1, positions=4096, epochs=0.5)
    spent.seconds += 0.5
  spent.tokens, spent.targets = 2**53 + 1, 7
  again = Ledger(**json.loads(json.dumps(spent.as_dict())))
  assert again == spent
  assert again.spent("flops") == 3 * (2**60 + 1)
  assert again.fraction(Budget("steps", 4)) == 0.75
  assert again.fraction(Budget("seconds", 3.0)) == 0.5
  assert set(again.as_dict()) == {*budget_lib.CURRENCIES, "epochs"}
  assert again.epochs == 1.5
