"""Examples of tasks, read from every format in which people keep them."""
