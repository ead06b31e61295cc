"""Comparisons of evaluations: tables, tests, sheets and a report."""
