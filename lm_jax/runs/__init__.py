"""Many runs: which ones there are, and how they are run."""
