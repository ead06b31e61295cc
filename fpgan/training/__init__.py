"""The training loops and their checkpoints."""
