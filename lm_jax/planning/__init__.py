"""Plans a run on many chips on paper: memory, traffic, time."""
