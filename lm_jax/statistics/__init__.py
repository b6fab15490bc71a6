"""Intervals, tests and fits: functions of arrays of scores."""
