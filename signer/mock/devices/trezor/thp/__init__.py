"""The Trezor-Host Protocol on the device's side: channels, a handshake, pairing. Talks to no unknown host."""
