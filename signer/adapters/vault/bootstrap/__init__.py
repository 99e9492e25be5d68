"""Brings a Vault to what the files of `vault/` say. Deletes nothing, and reads no secret."""
