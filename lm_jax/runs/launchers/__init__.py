"""Launchers, one file each: where and how the runs of an experiment are run."""
