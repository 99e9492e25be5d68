"""HashiCorp Vault or OpenBao: keys, credentials and certificates that the host does not keep."""
