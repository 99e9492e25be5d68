"""Signatures that wait for a person: asking, following, giving up. Refuses to end one by a timer alone."""
