"""Imperative shell: the order life cycle, recovery, reconciliation. Knows ports, no driver and no wire."""
