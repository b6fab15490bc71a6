"""Texts as a graph of entities and their relations."""
