"""lm_jax: which pretraining objective should I use under my budget?"""

__version__ = "0.1.0"
