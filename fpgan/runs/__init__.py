"""The run of a stage: locks, staging, checkpoints, name, and the pipeline's run above it."""
