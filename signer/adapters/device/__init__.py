"""What every device with a person before it has in common: one owner, its states, its deadlines."""
