"""Ages of what rotates, from files of this host: certificates, ledger, policy. Vault's are in vault/."""
