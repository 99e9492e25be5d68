"""The commands of `airlock-signer`, one file each. The only place that prints."""
