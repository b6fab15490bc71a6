"""Programs that nobody has read, run where they can do no harm.

`confined.py` is what the command runs, `inside.py` what the process of one
program runs; the latter imports the standard library only.
"""
