"""Accounting rules of the portfolio: values in, postings out. No rows, no locks, no I/O."""
