"""Eyes, gaze and pictures; the raw data sets and how their eyes are prepared."""
