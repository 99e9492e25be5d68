"""What the use cases need of the outside world, as Protocols. No port says how."""
