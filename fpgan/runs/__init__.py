"""Running a stage: locks, staged outputs, checkpoints, the run's name, and the pipeline's run above it."""
