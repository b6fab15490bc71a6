"""Templates: what they hold, what they refuse, and that they end."""

import time

import pytest

from lm_jax.prompting import template
from lm_jax.support.errors import UsageError

FRONT = """description = "a test"
fields = ["text", "tone"]
defaults = { tone = "plain" }
"""


def parse(body="{{ text }}", front=FRONT):
  return template.parse(f"+++\n{front}+++\n{body}", "--template=x")


@pytest.mark.parametrize("name", template.names())
def test_every_built_in_template_loads_and_renders(name):
  found = template.load(name)
  fields = {field: f"<{field}>" for field in found.needs}
  text = found.render(fields)
  for field in set(fields) - set(found.choice_fields) - {"question"}:
    assert f"<{field}>" in text, field


def test_fields_defaults_and_the_newline_at_the_end():
  found = parse("{{ text | trim }}\nTone: {{ tone }}\n")
  assert found.render({"text": " a "}) == "a\nTone: plain"
  assert found.render({"text": "a", "tone": "dry"}) == "a\nTone: dry"
  assert found.needs == ("text",)


def test_nothing_is_escaped_and_nothing_of_a_field_is_executed():
  text = "<b>&\"' {{ tone }} {% for %}"
  assert parse().render({"text": text}) == text


def test_a_file_is_read_with_its_lines_as_they_are(tmp_path):
  path = tmp_path / "mine.jinja"
  path.write_bytes(
    b"\xef\xbb\xbf+++\r\n" + FRONT.encode().replace(b"\n", b"\r\n") + b"+++\r\n"
    b"A:\r\n\x0b{{ text }}"
  )
  assert template.load(str(path)).render({"text": "ü"}) == "A:\n\x0bü"


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({}, "needs the field text; it takes text"),
    ({"text": "a", "tune": "b"}, "field=tune: unknown; did you mean tone"),
    ({"text": 3}, "field text=3: must be text"),
  ],
)
def test_fields_are_checked(fields, message):
  with pytest.raises(UsageError, match=message):
    parse().render(fields)


@pytest.mark.parametrize(
  ("body", "message"),
  [
    ("a\n{{ text", "line 7: unexpected end"),
    ("a\n{{ text | uper }}", "line 7: filter=uper: .* upper"),
    ("{{ txt }}", "field=txt: unknown; did you mean text"),
    ("{{ self }}", "field=self: unknown"),
    ("{{ mask }}", "uses {{ mask }} without cloze"),
    ("{{ text.__class__ }}", "line 6: method=__class__: unknown"),
    ("{{ ''['__class__'] }}", None),
    ("{{ text['upper'] }}", None),
    ("{{ text.format(1) }}", "method=format: unknown"),
    ("{{ text.strip(text) }}", "strip: takes literals only"),
    ("{{ text * 1000000000 }}", "mul is not for templates"),
    ("{{ 9 ** 999999999 }}", "pow is not for templates"),
    ("{{ '%999999999d' % 1 }}", "mod is not for templates"),
    ("{{ text ~ text }}", "concat is not for templates"),
    ("{{ text + text }}", "add is not for templates"),
    ("{% for i in text %}{% endfor %}", "for is not for templates"),
    ("{% set a = text %}", "assign is not for templates"),
    ("{% include '/etc/passwd' %}", "include is not for templates"),
    ("{% macro m() %}{% endmacro %}", "macro is not for templates"),
    ("{{ range(9) }}", "only methods of text are called"),
    ("{{ [text] }}", "a list stands where a text is due"),
    ("{{ " + 5000 * "(" + "text" + 5000 * ")" + " }}", "nested too deeply"),
    (200 * "{% if text %}" + 200 * "{% endif %}", "nested too deeply"),
  ],
)
def test_bodies_do_what_is_listed_and_nothing_else(body, message):
  with pytest.raises(UsageError, match=message):
    parse(body).render({"text": "a"})


@pytest.mark.parametrize(
  "body",
  [
    "{{ text }}" * 1000,
    "{{ text | replace('a', text) }}",
    "{{ text | replace('', text) | length }}",
    "{{ text.split('a') | join(text) }}",
    "{{ [" + "text, " * 1000 + "] | join }}",
    "{{ [" + "text, " * 1000 + "] | upper }}",
    "{% if [" + "text, " * 1000 + "] | lower %}{% endif %}",
  ],
)
def test_a_large_text_is_refused_before_it_is_made(body):
  found = parse(body)
  start = time.perf_counter()
  with pytest.raises(UsageError, match="more than 1048576|a list stands"):
    found.render({"text": "a" * 2**19})
  assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
  ("front", "message"),
  [
    ('description = "a"', "needs the key fields"),
    ('fields = ["a"]', "needs the key description"),
    (FRONT + "choises = 1", "key=choises: unknown; did you mean choices"),
    (FRONT + "cloze = 1", "cloze=1: must be true or false"),
    (FRONT + "answer = x", "line 5"),
    (FRONT + 'choices = ["txt", "tone"]', "choices=txt: unknown.*text"),
    (FRONT + 'choices = { a = "x" }', "two or more"),
    (FRONT + 'choices = { a = "x", b = "x" }', "have the same text"),
    (FRONT + 'choices = { a = "x", b = "" }', "a text is empty"),
    (FRONT + 'choices = { a = "x", b = "y" }', "need the key answer"),
    (FRONT + 'calibration = { tone = "N/A" }', "lacks the field text"),
    (FRONT + 'calibration = { text = ["", 3] }', "calibration.text=3"),
    (FRONT + "[generation]\ntop_q = 1", "generation=top_q.*top_p"),
    (FRONT + "[generation]\ntop_p = 3.0", "generation: top_p=3.0"),
    (FRONT + 'answer = "l"\nanswer_pattern = "("', "answer_pattern: missing"),
    (FRONT + 'reason = "r"', "needs the key answer_pattern"),
    (FRONT + "cloze = true", "cloze = true: needs choices"),
    (
      FRONT + 'answer = "l"\ncloze = true\nchoices = { a = "x", b = "y" }',
      "the body has no {{ mask }}",
    ),
    (FRONT.replace('"tone"]', '"mask"]'), "'mask': no name for a field"),
  ],
)
def test_front_matter_is_checked(front, message):
  with pytest.raises(UsageError, match=message):
    parse(front=front + "\n")


def test_content_free_inputs_are_read_together():
  front = FRONT + 'calibration = { text = ["N/A", ""], tone = ["x", "y"] }\n'
  found = parse(front=front)
  assert found.calibration == (
    {"text": "N/A", "tone": "x"},
    {"text": "", "tone": "y"},
  )


def test_generation_options_are_typed():
  found = parse(front=FRONT + "[generation]\ntemperature = 1\ntop_k = 3\n")
  assert found.generation == {"temperature": 1.0, "top_k": 3}
  assert isinstance(found.generation["temperature"], float)


def test_files_that_are_none(tmp_path):
  (tmp_path / "latin.jinja").write_bytes(b"+++\n\n# \xe4")
  (tmp_path / "large.jinja").write_bytes(b"a" * 2**17)
  (tmp_path / "plain.jinja").write_text("{{ text }}")
  for name, message in (
    ("gone.jinja", "No such file"),
    ("latin.jinja", "line 3: is not UTF-8: byte 7 is 0xe4"),
    ("large.jinja", "is above 65536 bytes"),
    ("plain.jinja", "must begin with TOML"),
    (".", "is not a file"),
  ):
    with pytest.raises(UsageError, match=message):
      template.load(f"{tmp_path}/{name}")
  with pytest.raises(UsageError, match="--template=/dev/zero: is not a file"):
    template.load("/dev/zero")


def test_an_unknown_name_lists_the_nearest():
  with pytest.raises(UsageError, match="--tool=sst3: unknown; did .* sst2"):
    template.load("sst3", "--tool")
