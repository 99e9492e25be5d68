"""Solana messages as values. Pure; signs and sends nothing."""
