import json
import os
import random
import struct
import tracemalloc

import devices_apart
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import SingleDeviceSharding

from lm_jax.hugging_face import safetensors_reader
from lm_jax.hugging_face.stream_to_devices import place
from lm_jax.hugging_face.weights import Weights, write
from lm_jax.support.errors import UsageError

_DTYPES = list(safetensors_reader.DTYPES.values())
_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


def _tensors(seed=0):
  rng = np.random.default_rng(seed)
  arrays = {
    dtype.name: rng.integers(0, 2, (5, i + 1)).astype(dtype)
    for i, dtype in enumerate(_DTYPES)
  }
  arrays["scalar"] = np.asarray(rng.normal(), np.float32)
  arrays["nothing"] = np.zeros((3, 0), np.float32)
  arrays["häu\tfig"] = rng.normal(size=(7, 4, 6)).astype(ml_dtypes.bfloat16)
  return arrays


def _items(arrays):
  return [(name, x.dtype, x.shape, lambda x=x: x) for name, x in arrays.items()]


def _same(a, b):
  assert a.dtype == b.dtype and a.shape == b.shape
  assert a.tobytes() == b.tobytes()


def _files(directory):
  return sorted(path.name for path in directory.iterdir())


def test_what_is_written_is_what_the_library_writes_and_reads(tmp_path):
  arrays = _tensors()
  write(tmp_path, _items(arrays))
  assert _files(tmp_path) == [_SINGLE]
  theirs = safetensors.numpy.save(arrays, {"format": "pt"})
  assert (tmp_path / _SINGLE).read_bytes() == theirs
  with Weights(tmp_path) as weights:
    assert sorted(weights.names()) == sorted(arrays)
    for name, x in arrays.items():
      assert weights.shape(name) == x.shape
      assert weights.dtype(name) == x.dtype
      _same(weights.read(name), x)


def test_shards_have_an_index_and_replace_what_was_there(tmp_path):
  arrays = _tensors()
  write(tmp_path, _items(_tensors(1)))
  write(tmp_path, _items(arrays), shard_bytes=300)
  shards = [name for name in _files(tmp_path) if name != _INDEX]
  count = len(shards)
  assert shards == [
    f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)
  ]
  index = json.loads((tmp_path / _INDEX).read_text())
  assert index["metadata"]["total_size"] == sum(
    x.nbytes for x in arrays.values()
  )
  for shard in shards:
    found = safetensors.numpy.load_file(tmp_path / shard)
    assert {n for n, s in index["weight_map"].items() if s == shard} == set(
      found
    )
    assert len(found) == 1 or sum(x.nbytes for x in found.values()) <= 300
    for name, x in found.items():
      _same(x, arrays[name])
  with Weights(tmp_path) as weights:
    for name, x in arrays.items():
      _same(weights.read(name), x)
  write(tmp_path, _items(arrays))
  assert _files(tmp_path) == [_SINGLE]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyError("x")])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, error):
  arrays = _tensors()
  write(tmp_path, _items(arrays))
  before = (tmp_path / _SINGLE).read_bytes()

  def fail():
    raise error

  items = [*_items(arrays), ("zzz", np.dtype(np.bool_), (2,), fail)]
  expected = UsageError if isinstance(error, OSError) else KeyError
  with pytest.raises(expected):
    write(tmp_path, items, shard_bytes=100)
  assert _files(tmp_path) == [_SINGLE]
  assert (tmp_path / _SINGLE).read_bytes() == before


def test_what_was_not_said_is_not_written(tmp_path):
  x = np.zeros((2, 3), np.float32)
  for name, dtype, shape in (
    ("x", np.float64, (2, 3)),
    ("x", np.float32, (3, 2)),
    ("x", np.complex64, (2, 3)),
    ("__metadata__", np.float32, (2, 3)),
  ):
    with pytest.raises(ValueError, match="x: |differ"):
      write(tmp_path, [(name, dtype, shape, lambda: x)])
  assert not list(tmp_path.rglob("*.safetensors"))


def test_every_part_is_that_of_numpy(tmp_path, monkeypatch):
  monkeypatch.setattr(
    safetensors_reader, "_BLOCK", 50
  )  # some rows, or less than one
  arrays = _tensors()
  write(tmp_path, _items(arrays))
  generator = random.Random(0)
  with Weights(tmp_path) as weights:
    for name, x in arrays.items():
      for _ in range(20):
        index = tuple(
          slice(*generator.choice([(None,), (0, size), (-2, None), (1, 3)]))
          for size in x.shape[: generator.randint(0, x.ndim)]
        )
        _same(weights.read(name, index), x[index])
    with pytest.raises(ValueError, match="step"):
      weights.read("häu\tfig", (slice(None, None, 2),))


def test_memory_is_that_of_the_part(tmp_path):
  x = np.ones((4096, 4096), np.float32)  # 64 MiB
  write(tmp_path, _items({"x": x}))
  for index, most in (
    ((slice(8, 16),), 1 << 20),
    ((slice(None), slice(8, 16)), 18 << 20),
  ):
    with Weights(tmp_path) as weights:
      tracemalloc.start()
      part = weights.read("x", index)
      peak = tracemalloc.get_traced_memory()[1]
      tracemalloc.stop()
    assert peak < most
    np.testing.assert_array_equal(part, x[index])
  # Another order in memory is copied by blocks, too.
  tracemalloc.start()
  write(tmp_path, [("x", x.dtype, x.shape, lambda: x.T)])
  assert tracemalloc.get_traced_memory()[1] < 40 << 20
  tracemalloc.stop()


def _raw(header, data=b"", length=None):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  length = len(text) if length is None else length
  return struct.pack("<Q", length) + text + data


def _info(start, end, shape=(2,), dtype="F32"):
  return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


_DAMAGED = {
  "empty": (b"", "too few"),
  "no header": (b"\0" * 7, "too few"),
  "long header": (_raw({}, length=99), "claims a header of 99 bytes"),
  "absurd": (_raw({}, length=2**64 - 1), "claims a header"),
  "utf-8": (_raw(b"\xff\xfe"), "is not JSON"),
  "json": (_raw(b"{'a': 1}"), "is not JSON"),
  "deep": (_raw(b'{"a":' * 10**5), "is not JSON"),
  "twice": (_raw(b'{"a": {}, "a": {}}'), "is not JSON"),
  "digits": (_raw(b'{"a": %s}' % (b"1" * 9999)), "is not JSON"),
  "surrogate": (_raw(b'{"\\ud800": {}}'), "is not JSON"),
  "list": (_raw([]), "object"),
  "metadata": (_raw({"__metadata__": {"format": 1}}), "__metadata__"),
  "number": (_raw({"a": 1}), "'a'"),
  "dtype": (_raw({"a": _info(0, 8, dtype="F33")}, bytes(8)), "'a'.*'F33'"),
  "float8": (_raw({"a": _info(0, 2, dtype="F8_E4M3")}, bytes(2)), "readable"),
  "no dtype": (_raw({"a": _info(0, 8, dtype={})}, bytes(8)), "'a'"),
  "shape": (_raw({"a": _info(0, 8, [-2])}, bytes(8)), "'a'"),
  "real": (_raw({"a": _info(0, 8, [2.0])}, bytes(8)), "'a'"),
  "true": (_raw({"a": _info(0, 4, [True])}, bytes(4)), "'a'"),
  "huge": (_raw({"a": _info(0, 0, [0, 2**62, 2**62])}), "'a'"),
  "axes": (_raw({"a": _info(0, 4, [1] * 99)}, bytes(4)), "'a'"),
  "offsets": (_raw({"a": {**_info(0, 8), "data_offsets": 8}}), "'a'"),
  "size": (_raw({"a": _info(0, 8, [3])}, bytes(8)), "'a'.*takes 12 bytes"),
  "back": (_raw({"a": _info(8, 0)}, bytes(8)), "'a'"),
  "short": (_raw({"a": _info(0, 8)}, bytes(7)), "shorter"),
  "long": (_raw({"a": _info(0, 8)}, bytes(9)), "longer"),
  "hole": (
    _raw({"a": _info(0, 8), "b": _info(12, 20)}, bytes(20)),
    "'b'.*leaves a hole",
  ),
  "overlap": (
    _raw({"a": _info(0, 8), "b": _info(4, 12)}, bytes(12)),
    "'b'.*overlaps",
  ),
  "line": (_raw({"a\nb": _info(0, 8, [3])}, bytes(8)), r"'a\\nb'"),
}


@pytest.mark.parametrize("kind", _DAMAGED)
def test_a_damaged_file_is_named_in_one_line(tmp_path, kind):
  content, words = _DAMAGED[kind]
  (tmp_path / _SINGLE).write_bytes(content)
  with pytest.raises(UsageError, match=words) as error:
    Weights(tmp_path, "--from")
  assert str(error.value).startswith(f"--from={tmp_path}: {_SINGLE}: ")
  assert "\n" not in str(error.value)


@given(st.data())
def test_a_damaged_header_is_refused_as_by_the_library(tmp_path_factory, data):
  """Never another exception, and nothing that the library reads otherwise."""
  whole = safetensors.numpy.save(
    {name: _tensors()[name] for name in ("scalar", "float64", "nothing")}
  )
  end = 8 + struct.unpack("<Q", whole[:8])[0]
  content = bytearray(whole)
  for _ in range(data.draw(st.integers(0, 3))):
    place = data.draw(st.integers(0, end - 1))
    content[place] = data.draw(
      st.one_of(st.integers(0, 255), st.sampled_from(b'0123456789{}[]",:-e. '))
    )
  content = content[: data.draw(st.sampled_from([None, end, end - 1, 12, 90]))]
  directory = tmp_path_factory.getbasetemp() / "fuzz"
  directory.mkdir(exist_ok=True)
  (directory / _SINGLE).write_bytes(content)
  try:
    with Weights(directory) as weights:
      found = {name: weights.read(name) for name in weights.names()}
  except UsageError:
    return
  theirs = safetensors.numpy.load(bytes(content))
  assert found.keys() == theirs.keys()
  for name, x in found.items():
    _same(x, theirs[name])


def test_pickles_are_refused_with_the_way_out(tmp_path):
  with pytest.raises(UsageError, match="has neither model.safetensors nor"):
    Weights(tmp_path)
  with pytest.raises(UsageError, match="is not a directory"):
    Weights(tmp_path / "none")
  for name in ("pytorch_model.bin", "x.pt", "x.pth", "x.ckpt"):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"pickle.*run any code.*convert"):
      Weights(tmp_path)
    (tmp_path / name).unlink()


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
  write(tmp_path, _items({"a": np.zeros(1000, np.float32)}))
  with Weights(tmp_path) as weights:
    os.truncate(tmp_path / _SINGLE, 1000)
    with pytest.raises(UsageError, match="became shorter"):
      weights.read("a")


def test_what_is_placed_is_not_copied(tmp_path):
  x = np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)
  write(tmp_path, _items({"x": x}))
  read: list[np.ndarray] = []
  sharding = SingleDeviceSharding(jax.devices()[0])
  with Weights(tmp_path) as weights:

    def reader(index):
      read.append(weights.read("x", index))
      return read[-1]

    array = place(reader, x.shape, np.float32, sharding)
  if jax.default_backend() == "cpu":
    assert array.unsafe_buffer_pointer() == read[0].ctypes.data
  # Donated, it is neither freed twice nor read again by anyone.
  step = jax.jit(lambda a: a + 1, donate_argnums=0)
  np.testing.assert_array_equal(step(array), x + 1)
  half = place(lambda _: x.T, x.shape[::-1], jnp.bfloat16, sharding)
  np.testing.assert_array_equal(half, x.T.astype(ml_dtypes.bfloat16))
  with pytest.raises(TypeError, match="Cannot cast"):
    place(lambda _: x, x.shape, np.int32, sharding)
  with pytest.raises(ValueError, match=r"\(64, 48\) was read"):
    place(lambda _: x, (48, 64), np.float32, sharding)


def test_every_shard_is_read_once(tmp_path):
  x = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
  write(tmp_path, _items({"x": x}))
  script = """
import jax, numpy as np, sys
from jax.sharding import NamedSharding, PartitionSpec as P
from lm_jax.hugging_face.stream_to_devices import place
from lm_jax.hugging_face.weights import Weights
mesh = jax.make_mesh((4, 2), ("a", "b"))
with Weights(sys.argv[1]) as weights:
  x = weights.read("x")
  for spec in (P(), P("a"), P(None, "b"), P("b", "a"), P(("a", "b"))):
    sizes = []
    def read(index):
      sizes.append(weights.read("x", index).size)
      return weights.read("x", index)
    sharding = NamedSharding(mesh, spec)
    y = place(read, x.shape, x.dtype, sharding)
    assert y.sharding == sharding and np.array_equal(y, x)
    assert sum(sizes) == x.size
print("same")
"""
  assert devices_apart.run("-c", script, tmp_path) == "same\n"
