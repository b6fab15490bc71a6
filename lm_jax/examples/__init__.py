"""Reads examples of tasks from all formats in which they are published."""
