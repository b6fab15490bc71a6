"""An experiment whose page has every part, and the contrast of its texts."""

import importlib.util
import json
import pathlib

from json_files import edited

from lm_jax import report
from lm_jax.report.run_details import Recipe

_PATH = pathlib.Path(__file__).parents[1] / "report" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("report_conftest", _PATH)
_invented = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_invented)

EVIL_ARM = "<script>alert(1)</script> \"'& \u05d0\u05d1\u05d2 `$x$`"


def _recipe(folder):
  command = (
    f"python launch.py train --workdir={folder.name} --data.corpus='<b>'"
  )
  return Recipe(command, {"data.corpus": "<b>"})


def written(root):
  """Writes an experiment of three arms, one of an evil name, and its report."""
  _invented.write(root, seeds=3, items=90, arms=("clm", "mlm", "rtd"))
  with edited(root / "experiment.json") as about:
    for run in about["runs"]:
      run["arm"] = EVIL_ARM if run["arm"] == "rtd" else run["arm"]
  for run in (root / "runs").iterdir():
    result = json.loads((run / "result.json").read_text("utf-8"))
    scores = result["items"]["minimal_pairs"]
    lines = [
      json.dumps(
        {"task": "minimal_pairs", "id": str(i), "score": score}
        | {"good": f"<i>They are</i> {i}.", "bad": f"They is {i}."}
      )
      for i, score in enumerate(scores)
    ]
    (run / "predictions.jsonl").write_text("\n".join(lines), "utf-8")
  report.Report.load(root, _recipe).write()
  return root


# Every text of a page with its tag and its contrast to what lies behind it.
CONTRASTS = """() => {
  const part = value => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) =>
    0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = element.tagName == 'text' ? style.fill : style.color;
    const both = [light(numbers(colour)), light(behind(element))];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    texts.push({tag: element.tagName, text: text.slice(0, 40), contrast});
  }
  return texts;
}"""
