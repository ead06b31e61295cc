"""Evaluation of gaze estimators and translations: errors with intervals, records and reports."""
