"""The jobs of `compare --launcher=slurm`: submitted, waited for, continued."""
