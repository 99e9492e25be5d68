"""Wallets of several accounts: which one trades, and who takes over when it cannot. Never two at once."""
