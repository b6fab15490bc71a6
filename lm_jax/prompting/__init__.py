"""Prompts that are told by files.

template.py      a prompt template: front matter and a jinja2 body
front_matter.py  what it says of fields, choices and answers
sandbox.py       the part of jinja2 that its body may use
"""
