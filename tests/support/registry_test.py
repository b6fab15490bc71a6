import importlib
import sys

import pytest

from lm_jax.objectives.base import Objective
from lm_jax.support import registry
from lm_jax.support.errors import UsageError


@pytest.fixture
def package(tmp_path, monkeypatch):
  """A package whose files say when they are imported."""
  root = tmp_path / "shelf"
  root.mkdir()
  body = "raise RuntimeError('imported')\n"
  (root / "__init__.py").write_text(body)
  (root / "base.py").write_text(body)
  (root / "_hidden.py").write_text(body)
  (root / "mlm.py").write_text('"""Masks. And more.\n\nLong."""\n' + body)
  (root / "clm.py").write_text(body)
  monkeypatch.syspath_prepend(tmp_path)
  importlib.invalidate_caches()
  yield root
  for name in [n for n in sys.modules if n.partition(".")[0] == "shelf"]:
    del sys.modules[name]


def test_lists_and_summarizes_without_importing(package):
  assert registry.names("shelf") == ["clm", "mlm"]
  assert registry.summary("shelf", "mlm") == "Masks. And more."
  assert registry.summary("shelf", "clm") == ""
  assert "shelf" not in sys.modules
  assert registry.names("no_such_package") == []


def test_unknown_name_is_refused_before_anything_is_imported(package):
  with pytest.raises(UsageError) as error:
    registry.module("shelf", "mlmm", "--objective")
  assert str(error.value) == (
    "--objective=mlmm: unknown; did you mean mlm? Valid: clm, mlm"
  )
  assert "shelf" not in sys.modules


@pytest.mark.parametrize("count", [0, 1, 2])
def test_find_wants_exactly_one_class_of_the_file_itself(package, count):
  (package / "__init__.py").write_text("class Base: pass\n")
  (package / "base.py").write_text(
    "import shelf\nclass Common(shelf.Base): pass\n"
  )
  classes = [f"class C{i}(Common): pass" for i in range(count)]
  classes.append("class _Part(Common): pass")
  text = "from shelf.base import Common\n" + "\n".join(classes)
  (package / "clm.py").write_text(text)
  base = importlib.import_module("shelf").Base
  if count == 1:
    found = registry.find("shelf", "clm", base, "--objective")
    assert found.__name__ == "C0"
  else:
    with pytest.raises(TypeError, match=f"defines {count}"):
      registry.find("shelf", "clm", base, "--objective")


def test_every_objective_is_found_and_says_what_it_is():
  names = registry.names("lm_jax.objectives")
  assert {"clm", "mlm"} <= set(names)
  for name in names:
    cls = registry.find("lm_jax.objectives", name, Objective, "--objective")
    assert cls.natural in cls.architectures
    assert registry.summary("lm_jax.objectives", name)


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("learning_rate", ["optimizer.learning_rate"]),
    ("optimiser.learning_rate", ["optimizer.learning_rate"]),
    ("optimizer.nam", ["optimizer.name", "data.name"]),
    ("zzz", []),
  ],
)
def test_nearest_goes_by_the_last_part(name, expected):
  valid = ["data.name", "optimizer.learning_rate", "optimizer.name"]
  assert registry.nearest(name, valid) == expected
