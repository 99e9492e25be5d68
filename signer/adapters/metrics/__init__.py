"""Figures for Prometheus. Names and reasons from fixed lists only; no client, amount, hash or secret."""
