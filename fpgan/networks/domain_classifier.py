"""A network that distinguishes two domains of eye pictures."""

from torch import Tensor, nn

FEATURES = 16  # few, so that a hundred eyes are enough to estimate their covariance


def _halving(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class DomainClassifier(nn.Module):
    """Judges eye pictures (N, C, H, W) in [-1, 1], H and W at least 16: (N,) the logit of the target domain.

    `features` gives (N, 16), scaled to a standard deviation of 1 over the training eyes of both domains,
    which are randomly changed in training. Over unchanged eyes the standard deviation is slightly below 1.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_halving(channels, 16),
            *_halving(16, 32),
            *_halving(32, 64),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, FEATURES, bias=False),
            nn.BatchNorm1d(FEATURES, affine=False),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 1), nn.Flatten(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))
