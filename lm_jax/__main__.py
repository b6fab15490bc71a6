"""`python -m lm_jax`, and what the command `lm_jax` calls."""

import sys


def main() -> None:
  """Runs the command line; an interruption of its imports is a line, too."""
  try:
    from lm_jax import cli
  except KeyboardInterrupt:
    sys.stderr.write("lm_jax: interrupted\n")
    sys.exit(75)
  cli.launch(sys.argv[1:])


if __name__ == "__main__":
  main()
