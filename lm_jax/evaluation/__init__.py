"""Models measured by tasks, and compared item by item."""
