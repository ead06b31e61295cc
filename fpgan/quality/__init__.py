"""Measures how similar translated eyes are to eyes of the target domain."""
