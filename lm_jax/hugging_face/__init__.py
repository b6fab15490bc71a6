"""Directories of Hugging Face Transformers, read and written.

What each family says of itself is in lm_jax/families.
"""
