"""Text from models: prompts in, continuations out."""
