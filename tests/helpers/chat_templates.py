"""Chat templates in the ways of published models, and tokenizers for them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import foreign_directories
import foreign_tokenizers as foreign

CHATML = """\
{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + \
message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# A default system prompt, and reasoning that older turns lose.
THINKING = """\
{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages[::-1] %}
  {%- set index = (messages|length - 1) - loop.index0 %}
  {%- if message.role == "user" %}
    {%- set ns.last = index %}
    {%- break %}
  {%- endif %}
{%- endfor %}
{%- for message in messages %}
  {%- set content = message.content %}
  {%- if message.role == "assistant" and '</think>' in content %}
    {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
  {%- endif %}
  {%- if message.role == "assistant" and loop.index0 > ns.last %}
    {{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' + content }}
  {%- else %}
    {{- '<|im_start|>' + message.role + '\\n' + content }}
  {%- endif %}
  {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# The system prompt goes into the first message; the roles must take turns.
LLAMA_2 = """\
{% if messages[0]['role'] == 'system' %}\
{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}\
{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}\
{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant') }}\
{% endif %}\
{% if loop.index0 == 0 and system_message != false %}\
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + \
message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}\
{% if message['role'] == 'user' %}\
{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}\
{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA_3 = """\
{{- bos_token }}
{%- if not date_string is defined %}
  {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
  {%- set system_message = messages[0]['content'] | trim %}
  {%- set messages = messages[1:] %}
{%- else %}
  {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
  {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
  {%- generation %}{{- message['content'] | trim + '<|eot_id|>' }}
  {%- endgeneration %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

ZEPHYR = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

MISTRAL = """\
{{ bos_token }}{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user') }}\
{% endif %}\
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + \
' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}\
{% else %}{{ raise_exception('Only user and assistant roles') }}\
{% endif %}{% endfor %}"""

GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}\
{{ raise_exception('System role not supported') }}{% endif %}\
{% for message in messages %}\
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}\
{% else %}{% set role = message['role'] %}{% endif %}\
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + \
'<end_of_turn>\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"""

# Words only: what ends an answer is text.
ALPACA = """\
{% for message in messages %}
{% if message.role == 'user' %}
### Instruction:
{{ message.content }}

{% elif message.role == 'assistant' %}
### Response:
{{ message.content }}

{% else %}
{{ message.content | tojson }}

{% endif %}
{% endfor %}
{% if add_generation_prompt %}
### Response:
{% endif %}"""

TEMPLATES = {
  "chatml": CHATML,
  "thinking": THINKING,
  "llama_2": LLAMA_2,
  "llama_3": LLAMA_3,
  "zephyr": ZEPHYR,
  "mistral": MISTRAL,
  "gemma": GEMMA,
  "alpaca": ALPACA,
}
# Which of them take no system prompt.
WITHOUT_SYSTEM = ("mistral", "gemma")

_SPECIAL = (
  *("<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"),
  *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
  *("<|user|>", "<|assistant|>", "<|system|>", "<start_of_turn>"),
)
# Tokens of their own, though the file does not call them special.
_OTHERS = ("<end_of_turn>", "<think>", "</think>", "[INST]", "[/INST]")


def build_byte_level(directory: pathlib.Path, **options: Any) -> None:
  """A tokenizer.json of bytes, with the tokens of all the templates."""
  import tokenizers
  from tokenizers import decoders, models, pre_tokenizers

  directory.mkdir(parents=True, exist_ok=True)
  ids, merges = foreign.Handmade().bpe(["<unk>"], "")
  made = tokenizers.Tokenizer(models.BPE(ids, merges))
  made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  made.decoder = decoders.ByteLevel()
  made.add_special_tokens(list(_SPECIAL))
  made.add_tokens([tokenizers.AddedToken(x, normalized=False) for x in _OTHERS])
  made.save(str(directory / "tokenizer.json"))
  config = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|begin_of_text|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|end_of_text|>",
  }
  text = json.dumps(config | options)
  (directory / "tokenizer_config.json").write_text(text)


def build_pieces(directory: pathlib.Path, **options: Any) -> None:
  """LLaMA's pieces, whose first word gets a space before it."""
  foreign.build(foreign.Handmade(), "llama", directory)
  path = directory / "tokenizer_config.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | options))


def build_model(directory: pathlib.Path, room: int, **options: Any) -> None:
  """A small LLaMA with random weights and the tokens of all the templates.

  Args:
    directory: a new one.
    room: tokens of context.
    options: of tokenizer_config.json.
  """
  import tokenizers

  build_byte_level(directory, **options)
  made = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
  kind, config = foreign_directories.MODELS["llama"]
  content = {"model_type": "llama", "architectures": [kind]} | config
  content |= {"max_position_embeddings": room, "eos_token_id": 1}
  content |= {"vocab_size": made.get_vocab_size(), "bos_token_id": 0}
  (directory / "config.json").write_text(json.dumps(content))
  foreign_directories.write_weights(directory)


TOKENIZERS = {"byte_level": build_byte_level, "pieces": build_pieces}
