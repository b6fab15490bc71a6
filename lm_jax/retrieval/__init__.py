"""Finding documents: BM25, indices of embeddings, fusion, and their measures.

Nothing here knows a model; embeddings come as arrays.
"""
