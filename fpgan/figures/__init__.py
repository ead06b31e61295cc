"""Figures from eyes, gazes and errors, each a matplotlib figure to be saved."""

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")  # figures go to files; no screen is needed
plt.rcParams.update({"figure.dpi": 130, "savefig.bbox": "tight", "font.size": 9})
