"""Use cases, one file each, and the steps that they share. The order of steps, the safety, lives here."""
