"""The ledger of signatures in one SQLite file. Refuses a file that it cannot vouch for."""

from signer.adapters.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
