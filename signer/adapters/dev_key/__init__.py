"""Keys in memory, for development. Refuses every chain that is not a known local one."""
