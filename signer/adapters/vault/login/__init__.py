"""Ways to get a token, one file each. None of them keeps it or writes a file."""
