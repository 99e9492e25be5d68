"""A signer for other people's integration tests: the real path with public keys. Refuses every real chain."""
