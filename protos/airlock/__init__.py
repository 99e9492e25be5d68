"""Namespace of the wire contract."""
