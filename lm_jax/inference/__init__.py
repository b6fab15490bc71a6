"""Models in use: loading, scoring and continuing them."""
