"""Devices that are none: honest doubles of hardware wallets. Public test keys only."""
