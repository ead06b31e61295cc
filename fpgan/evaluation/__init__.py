"""What estimators and translations are worth: numbers, and how sure they are."""
