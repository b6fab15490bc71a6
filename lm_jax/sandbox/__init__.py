"""Runs unreviewed programs where they can do no harm.

`sandbox.py` runs in the command, `sandbox_child.py` in the process of one
program; the latter imports only the standard library.
"""
