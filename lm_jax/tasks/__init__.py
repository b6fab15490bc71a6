"""What models are measured by, one file each: the file's name is its name.

Losses of different objectives do not compare, and none is used here.
"""
