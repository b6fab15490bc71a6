"""Applications of models: conversations, graphs of facts, answers."""
