"""All but one thing is said in setup.cfg, which can't rename a package.

experiments/ is installed inside lm_jax, so that a user's folder of that name
stays the user's.
"""

from setuptools import find_packages, setup

SHIPPED = "lm_jax.experiments.shipped"
CLAIMS = f"{SHIPPED}.published"

setup(
  packages=[*find_packages(include=["lm_jax", "lm_jax.*"]), SHIPPED, CLAIMS],
  package_dir={SHIPPED: "experiments"},
)
