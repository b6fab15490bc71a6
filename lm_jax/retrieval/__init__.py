"""Retrieves documents: BM25, embedding indices, fusion, and measures.

Nothing here depends on a model; embeddings are arrays.
"""
