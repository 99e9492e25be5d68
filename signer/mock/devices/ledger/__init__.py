"""A Ledger that is none: the applications’ answers on the wire, a scripted person before it. Public keys."""
