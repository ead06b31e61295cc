"""Matplotlib figures of eyes, gaze and errors."""

import matplotlib

matplotlib.rcParams.update({"figure.dpi": 130, "savefig.bbox": "tight", "font.size": 9})
