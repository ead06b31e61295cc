"""Detects from one row of a GAN training's scores that the training has collapsed."""

from math import nan

from fpgan.domains import Direction

# Beyond its limit a score means a collapse; healthy runs on the sample data stay far from these limits.
DISCRIMINATOR_WINS = 0.8  # D(real) - D(fake), as a share of the real label, which is the largest value
OUTPUT_EQUALS_INPUT = 0.9  # share of unchanged eyes
OUTPUTS_ALIKE = 0.25  # diversity of translations, relative to that of their sources


def collapses(row: dict[str, float], real_label: float) -> dict[str, str]:
    """A sentence per collapse, by a short name; scores missing in the row count as healthy."""
    found = {}
    for direction in Direction:
        domain, generator = direction.target.letter, direction.generator
        lead = row.get(f"D_{domain}/real", nan) - row.get(f"D_{domain}/fake", nan)
        if lead > DISCRIMINATOR_WINS * real_label:
            found[f"D_{domain} wins"] = (
                f"D_{domain} distinguishes translations of {generator} from pictures nearly every time, so "
                f"{generator} learns little from it; lower discriminator.layers or discriminator.filters"
            )
    for direction in Direction:
        if row.get(f"{direction}/unchanged_share", nan) > OUTPUT_EQUALS_INPUT:
            found[f"{direction} unchanged"] = (
                f"{direction} changes almost nothing; lower the weights of gaze, landmarks, identity and "
                "self_regularization"
            )
        if row.get(f"{direction}/diversity", nan) < OUTPUTS_ALIKE:
            found[f"{direction} alike"] = (
                f"all translations {direction} look alike, for every eye; raise the cycle weights or lower "
                "learning_rate"
            )
    return found
