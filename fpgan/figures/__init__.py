"""Figures from eyes, gazes and errors, each a matplotlib figure to be saved."""

import matplotlib

matplotlib.rcParams.update({"figure.dpi": 130, "savefig.bbox": "tight", "font.size": 9})
