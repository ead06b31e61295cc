"""Raw folders into prepared eye sets."""
