"""A Trezor that is none: protocol v1 on the wire, a scripted person before it. Public test keys only."""
