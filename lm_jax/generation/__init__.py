"""Text from models: prompts in, continuations out.

options.py      what may be asked for, with the names of Transformers
prompts.py      texts or ids to what the model reads first
session.py      one compiled program: prefill, and steps on a static cache
filters.py      which tokens may come next, and how likely they are
search.py       greedy search and sampling
beam.py         beam search, plain and diverse
generate.py     the programs, and what comes out of them
command.py      `launch.py generate`
contrastive.py  contrastive search
speculative.py  sampling with a smaller model that guesses ahead
infill.py       masked models: blanks, and whole sentences
languages.py    source and target of models that translate
text.py         ids to text as they come: whole characters, stop strings
"""
