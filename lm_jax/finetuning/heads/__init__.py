"""How examples are read and answered, one file for each such objective."""
