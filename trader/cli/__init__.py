"""The command line: one file for each command. The only place of the trader that prints."""
