"""Wallets: whose turn it is, and which account of a wallet to ask next."""
