"""Airlock's trader: finds trades, keeps the portfolio, broadcasts and books. It never holds a private key."""
