"""Looking at eye sets: what seems wrong with their labels, and how eyes lie in their pictures."""
