"""Bytes into typed actions, whole or not at all. Pure: no chain is asked and nothing is guessed."""
