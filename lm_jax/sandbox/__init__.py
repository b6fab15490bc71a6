"""Programs that nobody has read, run where they can do no harm.

`sandbox.py` runs in the command, `sandbox_child.py` in the process of one
program; the latter imports the standard library only.
"""
