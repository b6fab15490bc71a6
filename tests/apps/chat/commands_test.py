"""What begins with a slash, and what a session makes of answers."""

import json

import pytest

from lm_jax.apps.chat import commands
from lm_jax.apps.chat.conversation import Conversation
from lm_jax.apps.chat.model import Answer, Read
from lm_jax.apps.chat.session import Session
from lm_jax.apps.chat.template import Source
from lm_jax.apps.chat.terminal import Interrupt
from lm_jax.support.errors import UsageError


class Echo:
  """An assistant that says what it was asked, and remembers how."""

  room = 100

  def __init__(self, own=True):
    self.template, self.source = self, Source("", "t", own)
    self.defaults, self.languages = {"temperature": 0.5}, {}
    self.where = "generation_config.json"
    self.finish, self.dropped, self.calls = "end", 0, []

  def fit(self, conversation, user, options):
    history = [x["content"] for x in conversation.messages()]
    return Read([*history, user], self.dropped)

  def plainly(self, text, source="", target=""):
    return Read([text, source, target], plain=True)

  def answer(self, read, options, show, asked):
    self.calls.append((read, options))
    text = f"echo {read.ids[0 if read.plain else -1]}"
    text = "" if self.finish == "nothing" else text
    for word in text.split(" "):
      show(f"{word} ")
    return Answer(text, self.finish.replace("nothing", "stopped"))

  def check_system(self, text, flag):
    if text == "bad":
      raise UsageError(f"{flag}: refused")


@pytest.fixture
def start():
  def make(form="text", own=True, given=None):
    return Session(Echo(own), Conversation(), given or {}, form, Interrupt())

  return make


def _turns(session):
  return [(turn.user, turn.answer) for turn in session.conversation.turns]


def test_unknown_ones_are_told_the_nearest(start):
  with pytest.raises(UsageError, match="/unod: unknown; did you mean /undo"):
    commands.run(start(), "/unod")
  with pytest.raises(UsageError, match=r"Valid: /help.*/summarise"):
    commands.run(start(), "/xyz\nabc")


def test_undo_retry_and_reset(start, capsys):
  session = start(given={"do_sample": True, "seed": 5})
  commands.run(session, "/system Be brief.")
  for text in ("a", "b"):
    session.say(text)
  commands.run(session, "/retry")
  assert _turns(session) == [("a", "echo a"), ("b", "echo b")]
  assert [options.seed for _, options in session.assistant.calls] == [5, 5, 6]
  # What is answered again is not read as said before.
  assert session.assistant.calls[-1][0].ids == ["Be brief.", "a", "echo a", "b"]
  commands.run(session, "/undo")
  assert _turns(session) == [("a", "echo a")]
  commands.run(session, "/reset")
  assert _turns(session) == [] and session.conversation.system == "Be brief."
  for line in ("/undo", "/retry"):
    with pytest.raises(UsageError, match="nothing to take back"):
      commands.run(session, line)
  assert capsys.readouterr().out == "echo a \necho b \necho b \n"


def test_an_answer_that_fails_changes_nothing(start):
  session = start()
  session.say("a")
  session.assistant.fit = None  # Would be called.
  session.given["top_p"] = 7.0
  for line in ("/retry", "/summarise the text"):
    with pytest.raises(UsageError, match="top_p"):
      commands.run(session, line)
  assert _turns(session) == [("a", "echo a")]


def test_options_are_set_as_flags_are(start, capsys):
  session = start()
  commands.run(session, "/set temperature=0.7")
  assert session.options().temperature == 0.7
  commands.run(session, "/set temperature=")
  assert session.options().temperature == 0.5  # the model's own
  commands.run(session, "/set stop_strings=a, b")
  assert session.options().stop_strings == ("a, b",)
  for line, message in (
    ("/set temperature=x", "--temperature=x: must be a finite number"),
    ("/set temperature=-1", "--temperature=-1: must be above 0"),
    ("/set temprature=1", "temprature: unknown; did you mean temperature"),
    ("/set num_beams=4", "--num_beams=4: must be 1 where"),
    ("/set num_return_sequences=2", "all would be the same"),
  ):
    before = session.options()
    with pytest.raises(UsageError, match=message):
      commands.run(session, line)
    assert session.options() == before
  capsys.readouterr()
  commands.run(session, "/set")
  out, err = capsys.readouterr()
  assert not out and "\nmax_new_tokens=256 " in f"\n{err}"
  commands.run(session, "/set top_k")
  assert capsys.readouterr().err.startswith("top_k=50 ")


def test_a_conversation_goes_on_from_its_file(start, tmp_path):
  path = tmp_path / "my talk.json"
  session = start()
  commands.run(session, "/system Be brief.")
  session.assistant.finish = "stopped"
  session.say("a")
  commands.run(session, f"/save {path}")
  with pytest.raises(UsageError, match=f"^/save {path}: is there already"):
    commands.run(session, f"/save {path}")
  session.say("b")
  commands.run(session, f"/overwrite {path}")
  other = start()
  commands.run(other, f"/load {path}")
  assert other.conversation == session.conversation
  assert other.conversation.turns[0].finish == "stopped"
  for line in ("/save", "/load", "/overwrite", "/template"):
    with pytest.raises(UsageError, match="needs a"):
      commands.run(session, line)


def test_a_system_prompt_that_is_refused_is_not_set(start):
  session = start()
  commands.run(session, "/system good")
  with pytest.raises(UsageError, match="/system: refused"):
    commands.run(session, "/system bad")
  assert session.conversation.system == "good"
  commands.run(session, "/system")
  assert session.conversation.system == ""


def test_dropped_turns_are_told_once(start, capsys):
  session = start()
  session.assistant.dropped = 2
  session.say("a")
  session.say("b")
  assert capsys.readouterr().err.count("no longer reads") == 1
  commands.run(session, "/reset")
  session.say("c")
  assert capsys.readouterr().err.count("no longer reads") == 1


def test_nothing_of_an_answer_is_no_turn(start, capsys):
  session = start()
  session.assistant.finish = "nothing"
  session.say("a")
  assert _turns(session) == []
  assert "stopped before the first word" in capsys.readouterr().err
  session.assistant.finish = "end"
  session.say("b")
  session.assistant.finish = "nothing"
  commands.run(session, "/retry")
  assert _turns(session) == [("b", "echo b")]


def test_tools_are_messages_to_a_model_that_chats(start):
  session = start()
  session.say("a")
  commands.run(session, "/translate language=French  Good day, x=1.")
  read, options = session.assistant.calls[-1]
  assert (
    "into French." in read.ids[-1] and "Text: Good day, x=1." in read.ids[-1]
  )
  assert read.ids[:2] == ["a", "echo a"] and options.max_new_tokens == 256
  commands.run(session, "/summarise")  # of the last answer
  assert "Text: echo Translate" in session.assistant.calls[-1][0].ids[-1]
  assert session.assistant.calls[-1][1].max_new_tokens == 128
  session.given["max_new_tokens"] = 7
  commands.run(session, "/summarise it")
  commands.run(session, "/retry")
  assert session.assistant.calls[-1][1].max_new_tokens == 7


def test_tools_are_texts_to_one_that_does_not(start):
  session = start(own=False)
  with pytest.raises(
    UsageError, match="/summarise: needs a text, or an answer"
  ):
    commands.run(session, "/summarise")
  commands.run(session, "/summarise it")
  commands.run(session, "/retry")
  for read, options in session.assistant.calls:
    assert read.plain and read.ids[0].endswith("Summary:")
    assert options.max_new_tokens == 128
  assert len(session.conversation.turns) == 1


def test_what_continues_a_text_has_no_words_around_it(start):
  session = start()
  commands.run(session, "/continue Once upon")
  read, _ = session.assistant.calls[-1]
  assert read.plain and read.ids[0] == "Once upon"


def test_a_translator_gets_the_text_alone(start):
  session = start()
  session.assistant.languages = {"de": 1}
  commands.run(session, "/translate language=German Good day.")
  assert session.assistant.calls[-1][0].ids == ["Good day.", "", "German"]


def test_a_copied_template(start, tmp_path):
  path = tmp_path / "loud.jinja"
  front = '+++\ndescription = "d"\nfields = ["text"]\n+++\n'
  path.write_text(front + "Shout: {{ text | upper }}\n")
  session = start()
  commands.run(session, f"/template {path} a fox")
  assert session.assistant.calls[-1][0].ids == ["Shout: A FOX"]
  with pytest.raises(UsageError, match="sst2: asks for an answer"):
    commands.run(session, "/template sst2 a fox")


def test_answers_for_machines(start, capsys):
  session = start(form="jsonl")
  session.say("世界")
  commands.run(session, "/set top_k=5")
  (line,) = capsys.readouterr().out.splitlines()
  assert json.loads(line) == {
    "role": "assistant",
    "content": "echo 世界",
    "finish": "end",
    "dropped": 0,
  }
  assert "世界" in line


def test_help_lists_all(start, capsys):
  commands.run(start(), "/help")
  err = capsys.readouterr().err
  for name in (*commands.COMMANDS, "summarise", "translate"):
    assert f"\n/{name} " in f"\n{err}"
  with pytest.raises(commands.Quit):
    commands.run(start(), "/quit")
