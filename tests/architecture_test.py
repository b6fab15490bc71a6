"""Imports go one way (the layout is to be read as the architecture)."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / "lm_jax").rglob("*.py"))

# The floors of the house, from the ground up: a room is a folder of lm_jax, or
# a file that stands in none. It imports rooms of lower floors only, itself, and
# rooms of its own floor, as long as no circle comes of that.
FLOORS = (
  ("support",),
  ("trunk",),
  ("types", "visibility"),
  ("specials",),
  ("layout",),
  ("models", "data"),
  ("examples",),
  ("objectives", "adaptation", "families"),
  ("devices", "statistics", "sandbox"),
  ("report", "trackers"),
  ("config",),
  ("retrieval", "tasks"),
  ("training",),
  ("storage",),
  ("loaded_model",),
  ("hugging_face",),
  ("planning", "inference"),
  ("generation",),
  ("prompting",),
  ("language_model",),
  ("finetuning",),
  ("evaluation",),
  ("apps.chat", "apps.graph", "apps.answering", "apps"),
  ("runs", "experiments", "published"),
  ("commands",),
  ("api",),
  ("lm_jax", "harness", "cli"),
  ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
MOST_FLAT_FILES = 11
# What is trained comes in arguments; names are looked up elsewhere.
FORBIDDEN = {
  "lm_jax.training.program": {"objectives", "models", "adaptation", "data"},
  "lm_jax.training.train": {"objectives", "models", "adaptation", "data"},
  "lm_jax.inference.score": {"objectives", "models", "adaptation", "config"},
}
# Slow to import, or absent on a machine that only trains.
HEAVY = {
  *("Stemmer", "array_record", "bm25s", "faiss", "grain", "ir_measures"),
  *("matplotlib", "orbax", "pyarrow", "scipy", "sklearn", "tensorboardX"),
  *("tensorflow_datasets", "tokenizers"),
}


def _module(path):
  parts = path.relative_to(ROOT).with_suffix("").parts
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module):
  """The folder or file of lm_jax that a module belongs to."""
  parts = module.split(".")
  depth = 3 if parts[1:2] == ["apps"] else 2
  return ".".join(parts[1:depth]) or "lm_jax"


def _imports(path, deferred=True):
  """Modules that a file imports; without `deferred`, when it is imported."""
  found = set()

  def visit(node):
    if isinstance(node, ast.Import):
      found.update(name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f"{path}: a relative import"
      for name in node.names:
        inner = f"{node.module}.{name.name}"
        found.add(inner if inner in MODULES else node.module)
    elif isinstance(node, ast.Call) and deferred:
      first = node.args[0] if node.args else None
      if getattr(node.func, "attr", "") == "import_module" and isinstance(
        first, ast.Constant
      ):
        found.add(first.value)
    inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    if deferred or not (inside or typing):
      for child in ast.iter_child_nodes(node):
        visit(child)

  visit(ast.parse(path.read_text()))
  return found


MODULES = {_module(path): path for path in FILES}


def _rooms(path):
  """The other rooms that a file imports, wherever it does."""
  imports = {_room(m) for m in _imports(path) if m.split(".")[0] == "lm_jax"}
  return imports - {_room(_module(path))}


def test_every_room_has_its_floor():
  assert {_room(module) for module in MODULES} <= set(LEVEL)
  assert len(LEVEL) == sum(map(len, FLOORS))
  assert {_room(module) for module in MODULES} >= set(LEVEL) - {"apps"}
  flat = [path for path in FILES if path.parent == ROOT / "lm_jax"]
  assert len(flat) <= MOST_FLAT_FILES


@pytest.mark.parametrize("room", LEVEL)
def test_a_room_imports_lower_floors_only(room):
  for module, path in MODULES.items():
    if _room(module) == room:
      higher = {r for r in _rooms(path) if LEVEL[r] > LEVEL[room]}
      assert not higher, f"{path} imports {sorted(higher)}"


@pytest.mark.parametrize("module", FORBIDDEN)
def test_what_trains_and_measures_names_nothing(module):
  assert not _rooms(MODULES[module]) & FORBIDDEN[module]
  assert "lm_jax.support.registry" not in _imports(MODULES[module])


def test_no_circle_of_rooms_with_deferred_imports():
  graph = {room: set() for room in LEVEL}
  for module, path in MODULES.items():
    graph[_room(module)] |= _rooms(path)
  list(graphlib.TopologicalSorter(graph).static_order())


def test_no_circle_of_files_with_deferred_imports():
  # What a package's __init__ hands on belongs to the files behind it.
  graph = {
    module: {
      m
      for m in _imports(path)
      if m in MODULES and MODULES[m].name != "__init__.py"
    }
    for module, path in MODULES.items()
  }
  list(graphlib.TopologicalSorter(graph).static_order())


def test_heavy_packages_are_imported_where_they_are_used():
  for path in FILES:
    roots = {name.split(".")[0] for name in _imports(path, deferred=False)}
    assert not roots & HEAVY, path


# Where the encoding stands, if it is given without its name.
TEXTS = {"read_text": 0, "write_text": 1}


def _without_encoding(tree):
  """Lines on which a text is read or written by the locale's encoding."""
  for node in ast.walk(tree):
    if not isinstance(node, ast.Call):
      continue
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if "encoding" in keywords:
      continue
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    method = isinstance(node.func, ast.Attribute)
    if name in ("run", "Popen", "check_output") and "text" in keywords:
      yield node.lineno
    if method and name in TEXTS and len(node.args) <= TEXTS[name]:
      yield node.lineno
    if name in ("open", "fdopen", "NamedTemporaryFile"):
      # Of a path's method the mode comes first; os.open has numbers.
      modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
      modes.append(getattr(keywords.get("mode"), "value", None))
      modes = [m for m in modes if isinstance(m, str)]
      texts = [m for m in modes if m and set(m) <= set("rwxat+")]
      if texts or (name == "open" and not method and not modes):
        yield node.lineno


@pytest.mark.parametrize("folder", ["lm_jax", "benchmarks", "experiments"])
def test_every_text_file_has_an_encoding(folder):
  for path in (ROOT / folder).rglob("*.py"):
    found = list(_without_encoding(ast.parse(path.read_text("utf-8"))))
    assert not found, f"{path}: {found}"


@pytest.mark.parametrize(
  "call",
  [
    *("p.read_text()", "p.write_text(x)", "open(p)", "open(p, 'w')"),
    *("p.open('a+')", "os.fdopen(3, 'w')", "run(x, text=True)"),
  ],
)
def test_a_missing_encoding_is_seen(call):
  assert list(_without_encoding(ast.parse(call)))


def test_the_launcher_only_calls_the_command_line():
  own = {
    name for name in _imports(ROOT / "launch.py") if name.startswith("lm_jax")
  }
  assert {_room(name) for name in own} == {"__main__"}
  own = _imports(MODULES["lm_jax.__main__"])
  assert {name for name in own if name.startswith("lm_jax")} == {"lm_jax.cli"}


def test_the_rules_see_what_they_forbid(tmp_path):
  """A test of the reader: every way of writing an import is found."""
  path = tmp_path / "file.py"
  path.write_text(
    "import lm_jax.report.page\n"
    "from lm_jax import specials, types\n"
    "from lm_jax.models.network import Network\n"
    "if TYPE_CHECKING:\n  import grain\n"
    "def f():\n  import scipy.stats\n"
    "  importlib.import_module('lm_jax.layout')\n"
    "class C:\n  from lm_jax.data import rows\n"
  )
  lazy = {"grain", "scipy.stats", "lm_jax.layout"}
  assert _imports(path) - _imports(path, deferred=False) == lazy
  assert _imports(path) - lazy == {
    "lm_jax.report.page",
    "lm_jax.specials",
    "lm_jax.types",
    "lm_jax.models.network",
    "lm_jax.data.rows",
  }
