"""Trained networks for use outside this project: export formats, model cards, serving."""
