"""`launch.py evaluate`: a model measured by tasks, whatever they need.

measure.py   tasks that measure by themselves
asked.py     the flags
command.py   the command itself
"""
