"""Which of two registered networks is the champion, by what was measured of them."""

from typing import NamedTuple


class Measured(NamedTuple):
    """What is known of a network's error."""

    error: float | None
    """The lower the better; None where no test eye has a label."""
    test_digest: str
    """Of the eyes it was tested on."""
    on_sample_data: bool
    """Whether those were rendered by this project."""

    def tags(self) -> dict[str, str]:
        """As a registered version carries it."""
        return {
            "error": "unknown" if self.error is None else repr(self.error),
            "test_digest": self.test_digest,
            "sample_data": str(self.on_sample_data).lower(),
        }

    @classmethod
    def from_tags(cls, tags: dict[str, str]) -> "Measured | None":
        """What `tags` gave; None of a version that somebody else registered."""
        try:
            error = None if tags["error"] == "unknown" else float(tags["error"])
            return cls(error, tags["test_digest"], tags["sample_data"] == "true")
        except (KeyError, ValueError):
            return None


class Verdict(NamedTuple):
    """Whether a network becomes the champion, and why."""

    wins: bool
    reason: str


def judge(new: Measured, tags: dict[str, str] | None) -> Verdict:
    """Compares a network with the champion, of whom `tags` are given; None where there is none.

    Errors on different eyes say nothing about which network is better, so a champion stays until it is
    beaten on its own eyes. One exception: rendered eyes say nothing of any others, so a champion of the
    sample data gives way to the first network tested on other eyes.
    """
    if tags is None:
        return Verdict(True, "there was none")
    champion = Measured.from_tags(tags)
    if champion is None:
        return Verdict(False, "somebody else registered the champion")
    if new.error is None:
        return Verdict(False, "without gaze labels of test eyes its error is not known")
    if champion.on_sample_data and not new.on_sample_data:
        return Verdict(True, "the champion was tested on rendered eyes only")
    if new.test_digest != champion.test_digest:
        return Verdict(False, "the champion was tested on other eyes: which is better is not known")
    if champion.error is None:
        return Verdict(True, "the champion's error is not known")
    if new.error < champion.error:
        return Verdict(True, f"the champion's error is {champion.error:.2f}")
    return Verdict(False, f"the champion's error is {champion.error:.2f}")
