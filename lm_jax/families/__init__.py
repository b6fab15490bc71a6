"""Hugging Face model families: a file reads and writes one of them."""
