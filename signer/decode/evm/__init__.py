"""Ethereum transactions: the envelope around a payload and the calldata inside it."""
