"""Errors, options, names and files: what every room stands on."""
