"""JSON-RPC over HTTP, for whatever chain: one question, one answer."""
