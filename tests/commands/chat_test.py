"""`launch.py chat` and the writing tools of `generate`, as a user has them."""

import contextlib
import io
import json
import re
import time
import types

import chat_templates
import foreign_directories
import pseudo_terminal
import pytest

from lm_jax import cli

LONG = 2048  # tokens of context


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
  """A model that chats, and never ends before it must."""
  made = tmp_path_factory.mktemp("chat") / "llama"
  chat_templates.build_model(made, LONG, chat_template=chat_templates.CHATML)
  return str(made)


@pytest.fixture
def pipe(monkeypatch, capsys):
  """A function that runs a command with lines on standard input."""

  def run(data, *argv):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
    monkeypatch.setattr("sys.stdin", stdin)
    code = cli.main(list(argv))
    return code, *capsys.readouterr()

  return run


@pytest.fixture
def terminal(directory):
  flags = (f"--model={directory}", "--max_new_tokens=5")
  made = pseudo_terminal.Terminal("chat", *flags)
  with contextlib.closing(made):
    yield made


def test_ctrl_c_stops_the_answer_and_not_the_program(terminal):
  terminal.expect("\n> ")
  terminal.send("the fox\n")  # compiles
  terminal.expect("\n> ")
  asked = 1900
  terminal.send(f"/set max_new_tokens={asked}\n/set min_new_tokens={asked}\n")
  terminal.expect(f"min_new_tokens={asked})\n> ")
  terminal.send("the dog\n")
  terminal.expect("the dog\n")
  while not terminal.more(1):
    pass
  began = time.monotonic()
  terminal.interrupt()
  shown = terminal.expect("(stopped; /retry")
  assert time.monotonic() - began < 20
  assert len(shown) < asked / 2  # characters, and a token has some
  terminal.expect("\n> ")
  # It is there, marked as what it is, and the program answers on.
  terminal.send("/set min_new_tokens=3\n/set max_new_tokens=3\nand?\n")
  terminal.expect("and?\n")
  terminal.expect("\n> ")
  # At the prompt it gives up a line; a block, too.
  for line in ("half a li", '"""\nabc\n'):
    terminal.send(line)
    time.sleep(0.5)
    terminal.interrupt()
    terminal.expect("(/quit or Ctrl-D ends)\n> ")
  terminal.send("/undo\n")
  terminal.expect("taken back: and?)\n> ")
  terminal.send("/undo\n")
  terminal.expect("taken back: the dog)\n> ")
  terminal.send("\x04")
  assert terminal.end() == 0
  assert "Traceback" not in terminal.seen


def test_a_script(directory, pipe, tmp_path):
  path = tmp_path / "talk.json"
  lines = f"the fox\n\n/set max_new_tokens=4\nand\\\nthe dog\n/save {path}\n"
  argv = ("chat", f"--model={directory}", "--max_new_tokens=6")
  code, out, err = pipe(lines.encode(), *argv)
  assert code == 0 and "> " not in out and "(1 exchanges" not in out
  assert "(max_new_tokens=4)" in err
  said = json.loads(path.read_text())["messages"]
  assert [x["content"] for x in said[::2]] == ["the fox", "and\nthe dog"]
  assert out == "".join(x["content"] + "\n" for x in said[1::2])
  # And it goes on, as JSON.
  code, out, _ = pipe(b"more\n", *argv, f"--load={path}", "--format=jsonl")
  (answer,) = map(json.loads, out.splitlines())
  assert code == 0 and answer["finish"] == "length" and answer["content"]


def test_an_empty_system_prompt_replaces_a_loaded_one(
  directory, pipe, tmp_path
):
  path, again = tmp_path / "talk.json", tmp_path / "again.json"
  argv = ("chat", f"--model={directory}", "--max_new_tokens=2")
  for flags, file in ((["--system=s"], path), ([f"--load={path}"], again)):
    code, _, _ = pipe(f"/save {file}\n".encode(), *argv, *flags)
    assert code == 0 and '"system"' in file.read_text()
  again.unlink()
  flags = (f"--load={path}", "--system=")
  code, _, _ = pipe(f"/save {again}\n".encode(), *argv, *flags)
  assert code == 0 and '"system"' not in again.read_text()


@pytest.mark.parametrize(
  ("data", "message"),
  [
    (b"/set top_k=5\n/sett\n", "lm_jax: line 2: /sett: unknown; did you mean"),
    (b"caf\xe9\n", "lm_jax: line 1: message: is not UTF-8"),
    (b"/set top_p=2\n", "line 1: --top_p=2: must be above 0 and at most 1"),
    (b"the " * 9000 + b"\n", "line 1: message: has 9"),
  ],
)
def test_a_script_ends_at_its_first_mistake(data, message, directory, pipe):
  code, out, err = pipe(data, "chat", f"--model={directory}")
  assert code == 2 and not out
  assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    ([], "--model: needed"),
    (["--model=nowhere"], "--model=nowhere: not a run directory"),
    (["--model=D", "--context=-1"], "--context=-1: must be at least 0"),
    (["--model=D", "--context=99999"], "must be at most 2048"),
    (["--model=D", "--temperature=0"], "--temperature=0: must be above 0"),
    (["--model=D", "--num_beams=4"], "--num_beams=4: must be 1 where"),
    (["--model=D", "--load=no"], "--load=no: cannot be read"),
    (["--model=D", "--chat_template=no.jinja"], "no.jinja: unknown"),
    (["--model=D", "--systme=x"], "did you mean --system?"),
  ],
)
def test_bad_flags(argv, message, directory, pipe):
  argv = [word.replace("=D", f"={directory}") for word in argv]
  code, out, err = pipe(b"hi\n", "chat", *argv)
  assert code == 2 and not out and message in err
  assert err.count("\n") == 1


def test_a_model_that_can_not_chat(tmp_path, pipe):
  made = tmp_path / "bert"
  foreign_directories.build("bert", made)
  code, _, err = pipe(b"hi\n", "chat", f"--model={made}")
  assert code == 2 and "it fills blanks (--fill)" in err


def _generate(pipe, directory, *argv):
  argv = ("generate", f"--model={directory}", *argv)
  code, out, err = pipe(b"", *argv)
  assert code == 0, err
  return out


def test_a_tool_asks_by_the_chat_template(directory, pipe, monkeypatch):
  from lm_jax.generation.generate import Generator

  read = []
  usual = Generator.continue_ids

  def note(self, ids, *rest, **named):
    read.extend(self.model.tokenizer.decode(x, False) for x in ids)
    return usual(self, ids, *rest, **named)

  monkeypatch.setattr(Generator, "continue_ids", note)
  tool = ("--template=summarise", "--field=length=a word", "--prompt=the fox")
  short = ("--max_new_tokens=6", "--min_new_tokens=6")
  out = _generate(pipe, directory, *tool, *short)
  asked = "Summarise the text below in a word.\n\nText: the fox\n\nSummary:"
  assert read == [
    f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
  ]
  assert out.strip() and "Summarise" not in out
  read.clear()
  _generate(pipe, directory, *tool, *short, "--plain")
  assert read[0].endswith(asked) and "im_start" not in read[0]
  read.clear()
  _generate(pipe, directory, "--template=continue", "--prompt=Once", *short)
  assert read[0].endswith("Once") and "im_start" not in read[0]


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["--field=a=b"], "--field: goes with --template"),
    (["--plain"], "--plain: goes with --template"),
    (["--template=sumarise"], "did you mean summarise"),
    (["--template=sst2"], "sst2: asks for an answer"),
    (["--template=summarise", "--field=x"], "--field=x: must be NAME=VALUE"),
    (
      ["--template=summarise", "--field=x=y"],
      "--field=x: unknown. Valid: length",
    ),
    (["--template=summarise", "--fill=3"], "--fill: does not go with"),
    (["--template=summarise", "--truncate=left"], "--plain does without"),
    (["--template=no.jinja"], "--template=no.jinja: No such file"),
    (["--target_language=de"], "tokenizer has no tokens of languages"),
  ],
)
def test_bad_flags_of_tools(argv, message, directory, pipe):
  argv = ("generate", f"--model={directory}", "--prompt=the fox", *argv)
  code, out, err = pipe(b"", *argv)
  assert code == 2 and not out and message in err


def test_a_tool_can_be_copied(directory, pipe, tmp_path):
  code, out, _ = pipe(b"", "list", "templates", "--show=rewrite")
  assert code == 0
  path = tmp_path / "mine.jinja"
  path.write_text(re.sub("Rewrite the text", "Mend the prose", out))
  _generate(
    pipe, directory, f"--template={path}", "--prompt=a", "--max_new_tokens=2"
  )
  code, out, _ = pipe(b"", "list", "templates")
  assert re.search(r"^rewrite +says a text", out, re.MULTILINE)
