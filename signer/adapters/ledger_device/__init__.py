"""Keys in a Ledger: a person confirms every signature, and each is verified over our own digest."""
