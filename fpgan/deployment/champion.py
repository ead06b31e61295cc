"""Decides which of two registered networks is the champion, by their measured errors."""

from typing import NamedTuple


class Measured(NamedTuple):
    """The measured error of a network."""

    error: float | None
    """None if no test eye has a label."""
    test_digest: str
    """Digest of its test eyes."""
    on_sample_data: bool
    """Whether its test eyes were rendered by this project."""

    def tags(self) -> dict[str, str]:
        """The error as tags of a registered version."""
        return {
            "error": "unknown" if self.error is None else repr(self.error),
            "test_digest": self.test_digest,
            "sample_data": str(self.on_sample_data).lower(),
        }

    @classmethod
    def from_tags(cls, tags: dict[str, str]) -> "Measured | None":
        """The inverse of `tags`; None for a version that was not registered by this project."""
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
    """Compares a network with the champion, given the champion's tags, or None if there is no champion.

    Errors on different eyes do not tell which network is better, so a champion stays until a network has a
    smaller error on the same eyes. One exception: errors on rendered eyes say nothing about other eyes, so a
    champion tested on sample data is replaced by the first network tested on other eyes.
    """
    if tags is None:
        return Verdict(True, "there was no champion before")
    champion = Measured.from_tags(tags)
    if champion is None:
        return Verdict(False, "the champion was not registered by this project")
    if new.error is None:
        return Verdict(False, "its error is not known without gaze labels of test eyes")
    if champion.on_sample_data and not new.on_sample_data:
        return Verdict(True, "the champion was tested on rendered eyes only")
    if new.test_digest != champion.test_digest:
        return Verdict(False, "the champion was tested on other eyes, so the errors cannot be compared")
    if champion.error is None:
        return Verdict(True, "the champion's error is not known")
    if new.error < champion.error:
        return Verdict(True, f"the champion's error is {champion.error:.2f}")
    return Verdict(False, f"the champion's error is {champion.error:.2f}")
