"""The model card: description, training data, test protocol and limits of a registered network."""

from typing import NamedTuple

LICENCES = """MPIIFaceGaze is licensed CC BY-NC-SA 4.0: non-commercial use only, with attribution, and derived
works under the same licence. UnityEyes is free for research. Both licences apply to anyone who passes on a
network trained on these data, or its input example, which shows some of these eyes. The sample data is
rendered by fpgan and has fpgan's licence (MIT)."""


class Card(NamedTuple):
    """The parts that differ between cards."""

    name: str
    purpose: str
    answer: str
    """Meaning, shape and unit of the output."""
    shape: tuple[int, ...]
    """Shape of one picture."""
    synthetic: str
    """The data set of S."""
    real: str
    """The data set of R."""
    on_sample_data: bool
    """Whether R is sample data."""
    trained_on: str
    protocol: str
    """The test persons and the translator's training data, in words."""
    choice: str
    """Which of several trainings it is, and why it was chosen."""
    scores: dict[str, float]
    """By their meaning in words."""


def model_card(card: Card) -> str:
    """The card as Markdown."""
    size = ", ".join(map(str, card.shape))
    pictures = "RGB" if len(card.shape) == 3 else "grey"
    scores = [f"- {name}: {value:.3g}" for name, value in card.scores.items()]
    sample = ["R is rendered sample data, which says nothing about real eyes."] if card.on_sample_data else []
    return "\n".join(
        [
            f"# {card.name}",
            "",
            f"{card.purpose} Trained by fpgan, a feature-preserving CycleGAN between synthetic eyes (S) and "
            "real ones (R).",
            "",
            "## Use",
            "",
            f"- Takes any number of uint8 {pictures} pictures of eyes (N, {size}), not equalised: the "
            "network equalises their histograms itself. The inner corner of the eye must be on the left; "
            "mirror the other eye.",
            f"- Returns {card.answer}.",
            "",
            "## Data",
            "",
            f"- S: {card.synthetic}; R: {card.real}. {' '.join(sample)}".rstrip(),
            f"- Trained on {card.trained_on}.",
            "",
            "## Protocol",
            "",
            f"{card.protocol} {card.choice}",
            "",
            "## Measured",
            "",
            *(scores or ["Nothing: no test eye has a gaze label."]),
            "",
            "## Limits",
            "",
            "- Nothing was measured on eyes framed, turned or lit differently from the training eyes.",
            "- There were few test persons; errors differ between persons.",
            "- For research. Not for decisions about people, nor for identifying people.",
            "",
            "## Licence of the data",
            "",
            LICENCES,
            "",
        ]
    )
