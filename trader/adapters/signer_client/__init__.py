"""The signer over gRPC: the only place of the trader that sees protobuf types."""
