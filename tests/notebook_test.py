"""The notebook of docs/ runs, cell by cell, at a budget of two steps."""

import json
import pathlib

import matplotlib
import pytest

NOTEBOOK = pathlib.Path(__file__).parents[1] / "docs" / "python.ipynb"


def cells():
  """(source, tags) of each cell with code."""
  found = json.loads(NOTEBOOK.read_text())
  assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
  ids = [cell["id"] for cell in found["cells"]]
  assert len(set(ids)) == len(ids)
  return [
    ("".join(cell["source"]), cell["metadata"].get("tags", []), cell)
    for cell in found["cells"]
    if cell["cell_type"] == "code"
  ]


def test_it_holds_no_outputs():
  assert all(not cell["outputs"] for _, _, cell in cells())


@pytest.mark.filterwarnings("ignore:.*non-interactive")
def test_its_cells_run_in_their_order(tiny, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  matplotlib.use("agg")
  config = tiny.config()
  data = {"corpus": config.data.corpus, "cache": config.data.cache}
  small = {
    "budget": "steps:2",
    "shared": {
      "size": "nano",
      "length": 64,
      "batch_size": 4,
      "trunk": dict(config.trunk),
      "data": data | {"tokenizer": "bytes", "sentinels": 5},
    },
  }
  namespace = {"__name__": "__main__"}
  given = 0
  for number, (source, tags, _) in enumerate(cells()):
    exec(compile(source, f"cell {number}", "exec"), namespace)
    if "parameters" in tags:
      assert set(small) <= set(namespace)
      namespace |= small
      given += 1
  assert given == 1
  assert namespace["run"].status == "done"
  assert set(namespace["experiment"].statuses.values()) == {"done"}
  assert len(namespace["table"]) == 2
  assert (
    namespace["nearer"].score(namespace["text"])[0]
    > namespace["clm"].score(namespace["text"])[0]
  )
  assert float(namespace["loss"](namespace["clm"].params)) == pytest.approx(
    -namespace["clm"].score(namespace["text"])[0], rel=1e-4
  )
  out = capsys.readouterr().out
  assert 'did you mean optimizer={"learning_rate": ...}?' in out
