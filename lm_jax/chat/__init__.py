"""Conversations with a model.

conversation.py  who said what, and its file
rendering.py     chat templates as in Transformers, in a process of their own
template.py      the chat template of a model
marks.py         what a user writes stays text, whatever it spells
model.py         a model that answers: history within its context
held.py          an answer as it comes, without what ends it
terminal.py      lines from a user or a script, and Ctrl-C
commands.py      /set, /undo and their kin
tools.py         writing tools: prompt templates, and how a model gets them
command.py       `launch.py chat`
plain.jinja      the template of a model that has none
"""
