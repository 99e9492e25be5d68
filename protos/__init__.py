"""The wire contract between trader and signer, and the judge of its changes. Imports neither program."""
