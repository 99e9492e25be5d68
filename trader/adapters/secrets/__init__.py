"""Where secrets come from: files and Vault. One file for each, and the resolver over both."""
