import json

import pytest

from lm_jax.apps.chat import conversation as conversation_lib
from lm_jax.apps.chat.conversation import Conversation, Turn
from lm_jax.support.errors import UsageError

SAID = Conversation(
  "Be brief.", [Turn("Hi\nyou", "Grüße 世界", "end"), Turn("b", "c", "stopped")]
)


def test_a_file_holds_all_of_it(tmp_path):
  path = str(tmp_path / "c.json")
  for made in (SAID, Conversation("", SAID.turns), Conversation("s")):
    made.write(path, "w", replace=True)
    assert conversation_lib.read(path, "r") == made
  with pytest.raises(UsageError, match=r"^w: is there already; .*/overwrite"):
    SAID.write(path, "w")
  assert conversation_lib.read(path, "r") == Conversation("s")
  with pytest.raises(UsageError, match="w: No such file"):
    SAID.write(str(tmp_path / "no" / "c.json"), "w")


def test_messages_of_others_are_read(tmp_path):
  path = tmp_path / "c.json"
  path.write_text(json.dumps(SAID.messages()))
  found = conversation_lib.read(str(path), "r")
  assert found.messages() == SAID.messages()


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("[", "r: not JSON"),
    ("{}", 'r: must be an object with a list "messages"'),
    ('["a"]', "r, number 1: 'a': must be an object"),
    ('[{"role": "user"}]', "r, number 1: has no content"),
    ('[{"role": "user", "content": 3}]', "content: 3: must be text"),
    ('[{"role": "usr", "content": "a"}]', "'usr': must be one of system, us"),
    ('[{"role": "user", "content": "a", "x": 1}]', "key=x: unknown"),
    ('[{"role": "user", "content": "a"}]', "must take turns"),
    ('[{"role": "assistant", "content": "a"}]', "must take turns"),
  ],
)
def test_what_is_no_conversation(content, message, tmp_path):
  path = tmp_path / "c.json"
  path.write_text(content)
  with pytest.raises(UsageError, match=message):
    conversation_lib.read(str(path), "r")


def test_the_oldest_turns_are_left_out():
  roles = [x["role"] for x in SAID.messages(1, "more")]
  assert roles == ["system", "user", "assistant", "user"]
  assert SAID.messages(1)[1]["content"] == "b"
