"""What the signer offers."""
