"""Airlock's signer.

Decodes, limits, records and signs. It never broadcasts, and it never signs what it does not understand.
"""
