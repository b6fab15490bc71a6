"""Which pretraining objective should I use under my budget?

`python launch.py` runs the default experiment, in about ten minutes on two
cores; `python launch.py --help` lists the commands.
"""

import sys

from lm_jax import cli

if __name__ == "__main__":
  cli.launch(sys.argv[1:])
