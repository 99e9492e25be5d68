"""What the engine needs of the outside world, as Protocols. No port says how."""
