"""How much translated eyes look like those of the target domain: numbers."""
