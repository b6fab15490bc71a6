"""Text from models: prompts in, continuations out.

options.py      what may be asked for, with the names of Transformers
prompts.py      texts or ids to what the model reads first
session.py      a model that reads: prefill, and steps on a static cache
filters.py      which tokens may come next, and how likely they are
search.py       greedy search and sampling
beam.py         beam search, plain and diverse
contrastive.py  contrastive search
speculative.py  sampling with a smaller model that guesses ahead
program.py      what a search is compiled to
generate.py     prompts to texts
growing.py      a text as it gets longer, until it ends
text.py         ids to text as they come: whole characters, stop strings
infill.py       masked models: blanks, and whole sentences
languages.py    source and target of models that translate
defaults.py     what a model's own files say of options
command.py      `launch.py generate`
"""
