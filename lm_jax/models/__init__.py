"""The one transformer: attention, layers, the stack and its outputs, sizes."""
