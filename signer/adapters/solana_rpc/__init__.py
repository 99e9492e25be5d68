"""A Solana node, asked over plain JSON-RPC."""
