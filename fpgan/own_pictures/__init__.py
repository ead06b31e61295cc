"""Trained networks on a user's own eye pictures."""
