"""Inspection of eye sets: likely mistakes in their labels, and the framing of their eyes."""
