"""The origins of results: digests of files and code, DVC's files, git, and the recorded runs."""
