"""A model of Python: its arrays, texts and scores, each made when needed."""

from lm_jax.language_model.model import LanguageModel as LanguageModel
