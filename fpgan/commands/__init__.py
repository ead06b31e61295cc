"""Commands that are not stages: each reads results of stages, or the user's own files."""
