"""Templates from anybody: they end, and open nothing."""

import contextlib
import json
import signal

import pytest

from lm_jax.apps.chat import template as template_lib
from lm_jax.apps.chat.template import ChatTemplate, Source
from lm_jax.support.errors import UsageError

MESSAGES = [
  {"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Hello,\nyou"},
  {"role": "assistant", "content": " Yes? "},
  {"role": "user", "content": "Say more"},
]


def _render(text, messages=MESSAGES, seconds=20.0, **options):
  made = ChatTemplate(Source(text, "t"), {"bos_token": "<s>"}, seconds)
  with contextlib.closing(made):
    return made.render(messages, **options)


def test_tools_are_none_as_transformers_has_them():
  """Llama 3's template asks for a JSON call of a list of tools, even of []."""
  text = "{%- if tools is not none %}TOOLS {% endif %}{{ messages[0].content }}"
  assert _render(text) == "Be brief."


def test_the_plain_template():
  plain = template_lib.PLAIN.read_text()
  expected = "Be brief.\n\nUser: Hello,\nyou\nAssistant: Yes?\nUser: Say more"
  assert _render(plain) == expected + "\nAssistant:"
  assert _render(plain, answering=False) == expected + "\n"


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("{{ cycler.__init__.__globals__.os.system('id') }}", "is unsafe"),
    ("{{ messages.append.__self__.__class__ }}", "is unsafe"),
    ("{{ messages.append(1) }}", "is unsafe"),
    ("{% set n = namespace(_a=1) %}", "begins with _"),
    ("{% include '/etc/passwd' %}", "no loader"),
    ("{% import 'os' as os %}", "no loader"),
    ("{{ lipsum() }}", "Too many open files"),  # jinja2's own reads a file
    ("{{ 'x' * 10 ** 10 }}", "more than 1024 MiB"),
    ("{{ '%2000000000d' % 1 }}", "more than 1024 MiB"),
    (
      "{% set n = namespace(x='ab') %}{% for i in range(50) %}"
      "{% set n.x = n.x ~ n.x %}{% endfor %}",
      "more than 1024 MiB",
    ),
    ("{{ 'x' * 2 ** 25 }}", "more than 16777216 characters"),
    ("a\n{% if %}", "line 2: Expected an expression"),
    ("{{ raise_exception('no\nsuch role') }}", "t: no\\\\nsuch role"),
    ("{{ no.such.name }}", "'no' is undefined"),
    ("{{" + "(" * 5000 + "}}", "nested too deeply"),
  ],
)
def test_what_a_template_can_not_do(text, message):
  with pytest.raises(UsageError, match=message) as error:
    _render(text)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "text",
  [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "{{ 7 ** (7 ** 12) }}",
  ],
)
def test_one_that_never_ends_is_ended(text):
  with pytest.raises(UsageError, match="takes longer than 0.5 s"):
    _render(text, seconds=0.5)


def test_after_a_failure_it_goes_on():
  text = "{{ 'x' * (10 ** 10 if messages[0].content == 'big' else 3) }}"
  made = ChatTemplate(Source(text, "t"), {})
  with contextlib.closing(made):
    with pytest.raises(UsageError, match="memory"):
      made.render([{"role": "user", "content": "big"}])
    assert made.render(MESSAGES) == "xxx"


def test_what_was_interrupted_is_not_answered_later():
  text = (
    "{% if messages[0].content == 'slow' %}{% for i in range(3000) %}"
    "{% for j in range(3000) %}{% endfor %}{% endfor %}{% endif %}"
    "{{ messages[0].content }}"
  )

  def interrupt(number, frame):
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGALRM, interrupt)
  made = ChatTemplate(Source(text, "t"), {})
  try:
    with contextlib.closing(made):
      assert made.render([{"role": "user", "content": "a"}]) == "a"
      signal.setitimer(signal.ITIMER_REAL, 0.05)
      with pytest.raises(KeyboardInterrupt):
        made.render([{"role": "user", "content": "slow"}])
      assert made.render([{"role": "user", "content": "b"}]) == "b"
  finally:
    signal.signal(signal.SIGALRM, before)


def test_the_model_s_template_or_another(tmp_path):
  (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
  (tmp_path / "model.safetensors").write_bytes(b"")
  assert not template_lib.find(str(tmp_path)).own
  config = tmp_path / "tokenizer_config.json"
  config.write_text(json.dumps({"chat_template": "one"}))
  assert template_lib.find(str(tmp_path)).text == "one"
  other = tmp_path / "other.jinja"
  other.write_text("two")
  assert template_lib.find(str(tmp_path), str(other)).text == "two"
  for told in ({"a": 1}, [{"name": "a"}], [{"name": "a", "template": 3}], 5):
    config.write_text(json.dumps({"chat_template": told}))
    with pytest.raises(UsageError, match="must be text, or a list"):
      template_lib.find(str(tmp_path))
  named = [{"name": x, "template": x} for x in ("rag", "tool_use")]
  config.write_text(json.dumps({"chat_template": named}))
  with pytest.raises(UsageError, match="has several, rag, tool_use; name one"):
    template_lib.find(str(tmp_path))
  assert template_lib.find(str(tmp_path), "rag").text == "rag"
  with pytest.raises(UsageError, match="chat_template=no/such: cannot be read"):
    template_lib.find(str(tmp_path), "no/such")


def test_an_imported_run_has_it_too(tmp_path):
  folder = tmp_path / "hugging_face"
  folder.mkdir()
  (folder / "chat_template.jinja").write_text("kept")
  assert template_lib.find(str(tmp_path)).text == "kept"
