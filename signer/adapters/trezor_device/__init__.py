"""Trezor devices as a key backend, through the library `trezor`. Signs nothing that no person confirmed."""
