"""The command `ds`."""
