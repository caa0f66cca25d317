"""Stateless measures."""
