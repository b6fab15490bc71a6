"""Tasks that measure models, one file each, named after its file.

Losses of different objectives are not comparable, so none is used here.
"""
