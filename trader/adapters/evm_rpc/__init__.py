"""An Ethereum node over JSON-RPC."""
