"""Turns a corpus into batches: batch k is a pure function of (seed, k).

Nothing here imports TFDS, grain or tokenizers before it is used.
"""
