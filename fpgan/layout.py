"""Where the pipeline's files lie, relative to the project's root."""

from pathlib import Path

SAMPLE = Path("data/sample")
CHECKPOINTS = Path(".fpgan/checkpoints")
PREPARED_SYNTHETIC = Path("data/prepared/unityeyes/eyes.h5")
PREPARED_REAL = Path("data/prepared/mpiifacegaze/eyes.h5")
LANDMARK_NET = Path("models/landmarks/landmarks.safetensors")
GENERATORS = {"s2r": Path("models/gan/G.safetensors"), "r2s": Path("models/gan/F.safetensors")}
TRANSLATED = {"s2r": Path("data/translated/s2r/eyes.h5"), "r2s": Path("data/translated/r2s/eyes.h5")}
RESULTS = Path("results")
METRICS = RESULTS / "evaluate" / "metrics.json"
EVALUATION = RESULTS / "evaluate" / "evaluation.h5"


def gaze_net(trained_on: str) -> Path:
    """The gaze estimator trained on 'synthetic', 'translated' or 'real' eyes."""
    return Path("models") / f"gaze-{trained_on}" / "gazenet.safetensors"
