"""Prompt learning without training: templates, shots, choices, votes.

template.py      a prompt template: front matter and a jinja2 body
front_matter.py  what it says of fields, choices and answers
sandbox.py       the part of jinja2 that its body may use
shots.py         which examples stand in a prompt
prompt.py        examples and an item as a prompt that fits
pairs.py         a choice behind a prompt, as tokens
likelihood.py    its probability, of models that go on with a text
own.py           its score by the model's own objective
cloze.py         its probability in a blank, of masked models
corrections.py   what is made of those before they are ranked
reasoning.py     answers that are read from written text, and votes
judges.py        which of these fits a model
in_context.py    accuracy by the number of shots
show.py          as text, JSON and CSV
"""
