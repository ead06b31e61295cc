"""How a row of a GAN training's scores shows that the training has collapsed."""

from math import nan

# A score beyond its limit means a collapse; chosen so that no healthy run of the sample data comes near.
DISCRIMINATOR_WINS = 0.8  # D(real) - D(fake), as a share of the real label, which is a full win
OUTPUT_EQUALS_INPUT = 0.9  # share of eyes that are not changed
OUTPUTS_ALIKE = 0.25  # diversity of the translations, as a share of their sources'


def collapses(row: dict[str, float], real_label: float) -> dict[str, str]:
    """What has collapsed, in words, by a short name of each; scores that are not in the row tell nothing."""
    found = {}
    for domain, generator in (("R", "G"), ("S", "F")):
        lead = row.get(f"D_{domain}/real", nan) - row.get(f"D_{domain}/fake", nan)
        if lead > DISCRIMINATOR_WINS * real_label:
            found[f"D_{domain} wins"] = (
                f"D_{domain} tells translations of {generator} from pictures nearly every time, so "
                f"{generator} learns little from it; lower discriminator.layers or discriminator.filters"
            )
    for direction in ("s2r", "r2s"):
        if row.get(f"{direction}/unchanged_share", nan) > OUTPUT_EQUALS_INPUT:
            found[f"{direction} unchanged"] = (
                f"{direction} changes next to nothing; lower the weights of gaze, landmarks, identity and "
                "self_regularization"
            )
        if row.get(f"{direction}/diversity", nan) < OUTPUTS_ALIKE:
            found[f"{direction} alike"] = (
                f"all translations {direction} look alike, whatever the eye; raise the cycle weights or "
                "lower learning_rate"
            )
    return found
