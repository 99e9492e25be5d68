"""The books in PostgreSQL: the only state of the trader. Refuses to keep signed bytes or secrets."""
