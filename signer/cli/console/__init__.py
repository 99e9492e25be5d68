"""`airlock-signer console`: what waits for a person, in a terminal. Confirms nothing; the device does."""

from signer.cli.console.command import add_to as add_to
