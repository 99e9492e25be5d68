"""Strategies: (state, market snapshot, now) → signals. Pure; no I/O, no clock, no float."""
