"""Trained networks outside this project: files, the card that goes with them, and what serves them."""
