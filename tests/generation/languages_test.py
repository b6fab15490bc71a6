import foreign_directories
import pytest

import lm_jax
from lm_jax import cli

TEXT = "the quick brown fox"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
  made = tmp_path_factory.mktemp("languages") / "m2m"
  foreign_directories.build("m2m_100", made)
  return str(made)


@pytest.fixture
def read(monkeypatch):
  """Notes the ids that are read, and the first new one that is forced."""
  from lm_jax.generation.generate import Generator

  found, usual = [], Generator.continue_ids

  def note(self, ids, options, *rest, **named):
    found.append((ids[0], options.forced_bos_token_id))
    return usual(self, ids, options, *rest, **named)

  monkeypatch.setattr(Generator, "continue_ids", note)
  return found


def test_from_python_and_from_a_shell(directory, read, capsys):
  lm = lm_jax.load(directory)
  de, zh = (lm.tokenizer.languages[x] for x in ("de", "zh"))
  expected = ([de, *lm.tokenizer.encode(TEXT), 2], zh)
  given = {"source_language": "German", "target_language": "zh"}
  lm.generate([TEXT], max_new_tokens=4, **given)
  flags = [f"--{name}={value}" for name, value in given.items()]
  usual = ["generate", f"--model={directory}", f"--prompt={TEXT}"]
  usual += ["--max_new_tokens=4"]
  assert cli.main([*usual, *flags]) == 0
  # A translating template gives it the text alone, and tells the languages.
  fields = ["--field=language=chinese", "--field=source_language=de"]
  assert cli.main([*usual, "--template=translate", *fields]) == 0
  assert read == [expected] * 3
  # The next call is as if nothing had been.
  lm.generate([TEXT], max_new_tokens=4)
  assert read[-1] == ([lm.tokenizer.languages["fr"], *expected[0][1:]], -1)
  capsys.readouterr()
  assert cli.main([*usual, "--target_language=Germn"]) == 2
  err = capsys.readouterr().err
  assert "--target_language=Germn: unknown; did you mean German?" in err
  assert err.endswith("zu\n")
