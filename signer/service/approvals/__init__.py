"""Requests that wait for a person before a device."""
