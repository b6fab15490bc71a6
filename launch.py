"""Which pretraining objective should I use under my budget?

`python launch.py` runs the default experiment, in about ten minutes on two
cores; `python launch.py --help` lists the commands.
"""

from lm_jax.__main__ import main

if __name__ == "__main__":
  main()
