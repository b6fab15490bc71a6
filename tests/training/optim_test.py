import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.support.errors import UsageError
from lm_jax.training import optim, schedule

NAMES = ("adamw", "lamb", "adafactor", "lion", "muon")
B1, B2, EPSILON, DECAY = 0.9, 0.98, 1e-8, 0.1


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_rank_promotion("raise"):
    yield


def _tree(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  shapes = {
    "block": {"kernel": (6, 4), "bias": (4,)},
    "norm": {"scale": (6,)},
    "embedding": (9, 6),
    "relative_embedding": (8, 2),
  }
  return jax.tree.map(
    lambda shape: np.float32(scale * rng.normal(size=shape)),
    shapes,
    is_leaf=lambda x: isinstance(x, tuple),
  )


def _directions(options, params, gradients):
  transformation = optim.optimizer(options, params)
  state = transformation.init(params)
  update = jax.jit(transformation.update)
  for gradient in gradients:
    direction, state = update(gradient, state, params)
  return direction


def _moments(gradients):
  m = v = 0.0
  for gradient in gradients:
    g = np.float64(gradient)
    m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
  n = len(gradients)
  return m / (1 - B1**n) / (np.sqrt(v / (1 - B2**n)) + EPSILON)


def _adamw(param, decays, gradients):
  return _moments(gradients) + DECAY * decays * np.float64(param)


def _lamb(param, decays, gradients):
  direction = _adamw(param, decays, gradients)
  if not decays:
    return direction
  norm = np.linalg.norm(np.float64(param))
  return direction * norm / np.linalg.norm(direction)


def _lion(param, decays, gradients):
  m = 0.0
  for gradient in gradients:
    g = np.float64(gradient)
    direction = np.sign(B1 * m + (1 - B1) * g)
    m = B2 * m + (1 - B2) * g
  return direction + DECAY * decays * np.float64(param)


@pytest.mark.parametrize(
  ("name", "formula"), [("adamw", _adamw), ("lamb", _lamb), ("lion", _lion)]
)
def test_two_steps_equal_the_formulas_of_the_papers(name, formula):
  options = OptimizerOptions(name=name, clip=0.0)
  params, gradients = _tree(0), [_tree(1), _tree(2)]
  found = _directions(options, params, gradients)
  decays = {
    "block": {"kernel": 1, "bias": 0},
    "norm": {"scale": 0},
    "embedding": 1,
    "relative_embedding": 0,
  }
  jax.tree.map(
    lambda p, d, f, *g: np.testing.assert_allclose(
      f, formula(p, d, g), rtol=2e-5, atol=1e-6
    ),
    params,
    decays,
    found,
    *gradients,
  )


def test_adafactor_is_factored_clipped_and_relative_when_asked():
  rng = np.random.default_rng(0)
  param, gradient = rng.normal(size=(2, 128, 160))
  g2 = gradient**2 + 1e-30
  v = g2.mean(1, keepdims=True) * g2.mean(0, keepdims=True) / g2.mean()
  u = gradient / np.sqrt(v)
  u /= max(1.0, np.sqrt((u**2).mean()))
  for relative in (False, True):
    options = OptimizerOptions(name="adafactor", parameter_scale=relative)
    size = np.sqrt((param**2).mean()) if relative else 1.0
    found = _directions(
      options, {"kernel": np.float32(param)}, [{"kernel": np.float32(gradient)}]
    )
    expected = size * u + DECAY * param
    np.testing.assert_allclose(found["kernel"], expected, rtol=1e-4, atol=1e-5)


def test_muon_makes_hidden_kernels_orthogonal_and_leaves_the_rest_to_adamw():
  options = OptimizerOptions(name="muon", weight_decay=0.0, clip=0.0)
  rng = np.random.default_rng(0)
  params = {
    "block": {"kernel": np.float32(rng.normal(size=(16, 32)))},
    "vocabulary": {"kernel": np.float32(rng.normal(size=(16, 32)))},
    "embedding": np.float32(rng.normal(size=(32, 16))),
  }
  gradient = jax.tree.map(
    lambda p: np.float32(rng.normal(size=p.shape)), params
  )
  found = _directions(options, params, [gradient])
  kernel = found["block"]["kernel"] / (0.2 * math.sqrt(32))
  u, _, v = np.linalg.svd(gradient["block"]["kernel"], full_matrices=False)
  inner = u.T @ np.float64(kernel) @ v.T
  # Newton-Schulz brings singular values near 1, on the gradient's own vectors.
  assert 0.6 < np.diag(inner).min() <= np.diag(inner).max() < 1.3
  np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-4)
  rms = math.sqrt(float(jnp.mean(found["block"]["kernel"] ** 2)))
  assert 0.12 < rms < 0.26
  for name in ("vocabulary", "embedding"):
    jax.tree.map(
      lambda f, g: np.testing.assert_allclose(f, _moments([g]), rtol=1e-4),
      found[name],
      gradient[name],
    )


@pytest.mark.parametrize("corrected", [True, False])
def test_muon_steps_equal_a_float64_formula(corrected):
  """Jordan 2024, and optax's correction of the momentum's bias."""
  options = OptimizerOptions(
    name="muon",
    weight_decay=0.0,
    clip=0.0,
    momentum_correction=corrected,
  )
  rng = np.random.default_rng(1)
  params = {"block": {"kernel": np.float32(rng.normal(size=(6, 9)))}}
  gradients = rng.normal(size=(3, 6, 9))
  b, m = 0.95, np.zeros((6, 9))
  for t, g in enumerate(gradients, 1):
    m = b * m + (1 - b) * g
    first, last = (1 - b ** (t + 1), 1 - b**t) if corrected else (1, 1)
    x = b * m / first + (1 - b) * g / last
  x = x / np.linalg.norm(x)
  for _ in range(5):
    s = x @ x.T
    x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
  found = _directions(
    options, params, [{"block": {"kernel": np.float32(g)}} for g in gradients]
  )
  expected = 0.2 * math.sqrt(9) * x
  np.testing.assert_allclose(
    found["block"]["kernel"], expected, rtol=1e-3, atol=1e-3
  )


@pytest.mark.parametrize("name", NAMES)
def test_a_scanned_stack_moves_as_its_layers_do(name):
  options = OptimizerOptions(name=name, parameter_scale=True)
  rng = np.random.default_rng(3)
  # Layers of very different sizes: norms taken over the stack would mix them.
  size = np.float32([0.01, 1.0, 30.0])
  shapes = {"kernel": (3, 130, 128), "scale": (3, 128), "bias": (3, 128)}

  def draw():
    return {
      name: np.float32(rng.normal(size=shape))
      * size.reshape(3, *[1] * (len(shape) - 1))
      for name, shape in shapes.items()
    }

  def unstack(tree):
    return [{name: tree[name][i] for name in tree} for i in range(3)]

  stacked, gradient = draw(), draw()
  found = _directions(options, stacked, [gradient])
  apart = _directions(options, unstack(stacked), [unstack(gradient)])
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    unstack(jax.tree.map(np.asarray, found)),
    apart,
  )


@pytest.mark.parametrize("name", NAMES)
def test_every_method_falls_on_a_quadratic(name):
  options = OptimizerOptions(
    name=name, learning_rate=0.03, schedule="linear", final=0.0
  )
  target = _tree(5)
  params = jax.tree.map(jnp.asarray, _tree(6, 0.1))
  transformation = optim.optimizer(options, jax.eval_shape(lambda: params))
  rate = schedule.schedule(options)

  def loss(params):
    return sum(
      jnp.sum((p - t) ** 2)
      for p, t in zip(
        jax.tree.leaves(params), jax.tree.leaves(target), strict=True
      )
    )

  @jax.jit
  def step(carry, i):
    params, state = carry
    direction, state = transformation.update(
      jax.grad(loss)(params), state, params
    )
    lr = rate((i + 1) / 200)
    params = jax.tree.map(lambda p, d: p - lr * d, params, direction)
    return (params, state), loss(params)

  carry = (params, transformation.init(params))
  _, losses = jax.lax.scan(step, carry, jnp.arange(200))
  assert losses[-1] < 0.1 * loss(params)


def test_gradients_above_the_clip_are_scaled_to_it_and_others_kept():
  large = {"kernel": np.full((3, 4), 3.0, np.float32)}
  small = {"kernel": np.full((3, 4), 0.1, np.float32)}
  norm = 3 * math.sqrt(12)
  assert optim.global_norm(large) == pytest.approx(norm)
  options = OptimizerOptions(clip=1.0, weight_decay=0.0)
  found = _directions(options, small, [large, small])
  expected = _moments([large["kernel"] / norm, small["kernel"]])
  np.testing.assert_allclose(found["kernel"], expected, rtol=1e-5)


@pytest.mark.parametrize(
  ("fields", "words"),
  [
    ({"name": "adamm"}, ("optimizer.name=adamm", "adamw", "lion")),
    ({"schedule": "cosin"}, ("optimizer.schedule=cosin", "cosine", "wsd")),
    ({"rate_at": "middle"}, ("optimizer.rate_at=middle", "start, end")),
    ({"learning_rate": -1.0}, ("optimizer.learning_rate=-1.0", "above 0")),
    ({"learning_rate": math.nan}, ("optimizer.learning_rate=nan",)),
    ({"beta2": 1.0}, ("optimizer.beta2=1.0", "below 1")),
    ({"clip": -0.5}, ("optimizer.clip=-0.5",)),
    ({"schedule": "wsd", "warmup": 0.9}, ("optimizer.decay", "at most 0.1")),
    ({"schedule": "rsqrt", "warmup": 0.0}, ("optimizer.warmup", "rsqrt")),
  ],
)
def test_absurd_options_name_their_flag(fields, words):
  with pytest.raises(UsageError) as error:
    OptimizerOptions(**fields)
  assert all(word in str(error.value) for word in words)
