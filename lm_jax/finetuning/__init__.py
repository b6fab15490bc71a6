"""Fine-tuning: examples of tasks become rows, and models answer them.

A fine-tuned model is a run like any other; its objective (lm_jax/objectives)
is a supervised one, and its rows are packed with examples.
"""
