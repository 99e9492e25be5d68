"""One file for each state of an order: what to do next, and nothing else."""
