"""A certificate authority for development. Refuses to overwrite what is there; no production authority."""
