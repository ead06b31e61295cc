"""Commands that are no stages: each reads what stages made, or the user's own files."""
