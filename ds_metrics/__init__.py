"""Metrics that tell whether a 3D reconstruction network reconstructs or merely recognises."""
