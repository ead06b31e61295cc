"""What a result came from: digests, DVC's files, git, and the runs that made things."""
