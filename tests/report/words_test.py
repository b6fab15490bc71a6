"""The page says what cut texts without spaces into words."""

from json_files import edited

from lm_jax.report import collect, compare, prose

RJIEBA = "Chinese by rjieba 0.2.2"


def _set(root, name, text):
  with edited(root / "runs" / name / "result.json") as result:
    result["words"] = text


def test_what_cut_the_words_stands_on_the_page(experiment):
  root = experiment(arms=("clm", "mlm"), seeds=2)
  analysis = compare.analyse(collect.load(root))
  assert not any("Words of" in text for text in prose.reading(analysis))
  for name in ("clm-0", "clm-1", "mlm-0", "mlm-1"):
    _set(root, name, RJIEBA)
  analysis = compare.analyse(collect.load(root))
  told = [text for text in prose.reading(analysis) if "Words of" in text]
  assert told == [f"Words of scripts without spaces: {RJIEBA}."]
  assert not any("libraries" in text for text in prose.notes(analysis))
  _set(root, "mlm-1", "Chinese by characters")
  analysis = compare.analyse(collect.load(root))
  assert any("other libraries" in text for text in prose.notes(analysis))
