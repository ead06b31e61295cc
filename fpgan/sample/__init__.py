"""The built-in sample data: procedural eyes, written in both raw formats."""
