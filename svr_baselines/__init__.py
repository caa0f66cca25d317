"""Data, networks and experiments for single-view reconstruction."""
