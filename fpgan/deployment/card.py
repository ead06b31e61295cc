"""The model card: what a registered network is, on what it was trained and tested, and what it is not for."""

from typing import NamedTuple

LICENCES = """MPIIFaceGaze is licensed CC BY-NC-SA 4.0: not for commercial use, by name of its authors, and
what is made from it under the same licence. UnityEyes is free for research. Both bind whoever passes on a
network trained on them, or its input example, which shows some of their eyes. The sample data is rendered by
fpgan, and as free as fpgan itself (MIT)."""


class Card(NamedTuple):
    """What differs between the cards of networks."""

    name: str
    purpose: str
    answer: str
    """What comes out, shape and unit."""
    shape: tuple[int, ...]
    """Of one picture."""
    synthetic: str
    """The data set S comes from."""
    real: str
    on_sample_data: bool
    """Whether R is."""
    trained_on: str
    protocol: str
    """On whom was tested, and what had been seen before."""
    choice: str
    """Which of several trainings it is, and by what it was chosen."""
    scores: dict[str, float]
    """By what they are, in words."""


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
            f"- Takes uint8 {pictures} pictures of eyes (N, {size}), any number, as they are: the network "
            "equalises their histograms itself. The inner corner of the eye is on the left; the other eye is "
            "mirrored.",
            f"- Answers {card.answer}.",
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
            "- Eyes framed, turned or lit otherwise than the training eyes are outside what was measured.",
            "- Few persons were tested on; errors differ between persons.",
            "- For research. Not for decisions about people, nor for telling who somebody is.",
            "",
            "## Licence of the data",
            "",
            LICENCES,
            "",
        ]
    )
