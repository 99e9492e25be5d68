"""The signer's edge: gRPC handlers, protobuf ⇄ domain, identity, bounds. Decides nothing about a trade."""
