"""`make demo-hardware`: a Ledger, a person who is a script, and everything that can go wrong between them."""
