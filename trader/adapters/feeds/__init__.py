"""Prices for strategies."""
