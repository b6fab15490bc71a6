"""Imports go one way (the layout is to be read as the architecture)."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = sorted((ROOT / "lm_jax").rglob("*.py"))

# Which parts of lm_jax a part may import, besides itself and these.
BASIS = {"errors", "links", "optional", "printable", "strict_json"}
ALLOWED = {
  "errors": set(),
  "links": set(),
  "optional": set(),
  "printable": set(),
  "strict_json": set(),
  "types": set(),
  "visibility": {"types"},
  "specials": {"types"},
  "layout": {"types", "visibility", "specials"},
  "objectives": {"types", "visibility", "specials", "layout"},
  "models": {"types", "visibility"},
  "adaptation": {"types", "specials", "models"},
  "families": {"types", "models"},
  "data": {"types", "specials"},
  "retrieval": {"types", "data"},
  "execution": set(),
  "tasks": {"types", "data", "execution", "retrieval"},
  "report": {"types"},
  "devices": {"types", "options"},
  "storage": {"types", "devices", "config", "options", "registry"},
  "training.optim": {"types"},
  "training.schedule": {"types", "training.optim"},
  "training.ledger": {"types"},
  "training.flops": {"types"},
}
# What is trained comes in arguments; names are looked up elsewhere.
FORBIDDEN = {
  "training.program": {
    *("objectives", "models", "adaptation"),
    *("registry", "config", "data", "report"),
  },
  "training.train": {
    *("objectives", "models", "adaptation"),
    *("registry", "config", "data", "report"),
  },
  "score": {"objectives", "models", "adaptation", "registry", "config"},
}
# Slow to import, or absent on a machine that only trains.
HEAVY = {
  "Stemmer",
  "array_record",
  "bm25s",
  "faiss",
  "grain",
  "ir_measures",
  "matplotlib",
  "orbax",
  "pyarrow",
  "scipy",
  "sklearn",
  "tensorboardX",
  "tensorflow_datasets",
  "tokenizers",
}


def _module(path):
  parts = path.relative_to(ROOT).with_suffix("").parts
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(module):
  """The file or folder of lm_jax that a module belongs to.

  In training/ each file has a place of its own.
  """
  parts = [*module.split("."), "", ""]
  if parts[1] == "training" and parts[2]:
    return ".".join(parts[1:3])
  return parts[1]


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
        known = inner in MODULES if node.module.startswith("lm_jax") else False
        found.add(inner if known else node.module)
    inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    if deferred or not (inside or typing):
      for child in ast.iter_child_nodes(node):
        visit(child)

  visit(ast.parse(path.read_text()))
  return found


MODULES = {_module(path): path for path in FILES}


def _parts(path):
  own = _part(_module(path))
  found = {_part(m) for m in _imports(path) if m.startswith("lm_jax.")}
  return found - {own, *BASIS}


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_stands_before_it(part):
  for module, path in MODULES.items():
    if _part(module) == part:
      assert _parts(path) <= ALLOWED[part], path


@pytest.mark.parametrize("part", FORBIDDEN)
def test_what_trains_and_measures_names_nothing(part):
  path = MODULES[f"lm_jax.{part}"]
  assert not _parts(path) & FORBIDDEN[part]


@pytest.mark.parametrize(
  "part", ["prompting", "generation", "answerer", "objectives"]
)
def test_what_asks_models_knows_nothing_of_results(part):
  for module, path in MODULES.items():
    if _part(module) == part:
      assert not _parts(path) & {"evaluation", "cli"}, path


def test_no_module_imports_itself_by_way_of_others():
  graph = {
    module: {m for m in _imports(path, deferred=False) if m in MODULES}
    for module, path in MODULES.items()
  }
  assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(
    MODULES
  )


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
  assert {_part(name) for name in own} == {"__main__"}
  own = _imports(MODULES["lm_jax.__main__"])
  assert {name for name in own if name.startswith("lm_jax")} == {"lm_jax.cli"}


def test_the_rules_see_what_they_forbid(tmp_path):
  """A test of the reader: every way of writing an import is found."""
  path = tmp_path / "file.py"
  path.write_text(
    "import lm_jax.report.page\n"
    "from lm_jax import pooling, types\n"
    "from lm_jax.models.network import Network\n"
    "if TYPE_CHECKING:\n  import grain\n"
    "def f():\n  import scipy.stats\n"
    "class C:\n  from lm_jax.data import rows\n"
  )
  lazy = {"grain", "scipy.stats"}
  assert _imports(path) - _imports(path, deferred=False) == lazy
  assert _imports(path) - lazy == {
    "lm_jax.report.page",
    "lm_jax.pooling",
    "lm_jax.types",
    "lm_jax.models.network",
    "lm_jax.data.rows",
  }
