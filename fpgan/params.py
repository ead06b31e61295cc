"""The schema of params.yaml, in typed sections; `fpgan.config` reads the file.

A default applies to a key that the file leaves out. The defaults of networks and trainings suit the full data
sets; the values in the shipped params.yaml are smaller.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Data(Section):
    """The data sets that everything starts from."""

    unityeyes: Path = Path("data/sample/UnityEyes")
    """Synthetic eyes: a UnityEyes folder, or an HDF5 file of prepared eyes."""
    mpiifacegaze: Path = Path("data/sample/MPIIFaceGaze")
    """Real eyes: an MPIIFaceGaze folder, or an HDF5 file of prepared eyes."""


def _ascending(angles: tuple[float, float]) -> tuple[float, float]:
    if angles[0] > angles[1]:
        raise ValueError("the lowest angle comes first, then the highest")
    return angles


Degrees = Annotated[float, Field(ge=-90, le=90)]
AngleRange = Annotated[tuple[Degrees, Degrees], AfterValidator(_ascending)]
"""[lowest, highest] in degrees, both inclusive."""


class EyePicture(Section):
    """The picture that every network sees, in pixels."""

    width: int = Field(60, ge=16, le=512, multiple_of=4)
    height: int = Field(36, ge=16, le=512, multiple_of=4)
    color: bool = False

    def __str__(self) -> str:
        return f"{self.width} x {self.height} pixels, {'RGB' if self.color else 'grey'}"

    @property
    def channels(self) -> int:
        return 3 if self.color else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of one picture: (H, W) or (H, W, 3)."""
        return (self.height, self.width, 3)[: 3 if self.color else 2]


class SplitParams(Section):
    validation_persons: list[str] = ["p10", "p11"]
    """Real persons whose labels select epochs and settings."""
    test_persons: list[str] = ["p12", "p13", "p14"]
    """Real persons to test on; their labels are used for nothing else."""
    synthetic_validation: float = Field(0.05, gt=0, lt=0.5)
    """Share of the synthetic eyes, drawn at random, for validation."""
    synthetic_test: float = Field(0.1, gt=0, lt=0.5)
    """Share of the synthetic eyes, drawn at random, for tests."""

    @model_validator(mode="after")
    def _persons_are_disjoint(self) -> "SplitParams":
        both = set(self.validation_persons) & set(self.test_persons)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} in validation_persons and in test_persons")
        if not self.test_persons:
            raise ValueError("test_persons must name at least one person")
        return self


class RenderSample(Section):
    """The built-in sample data."""

    synthetic: int = Field(2000, ge=1)
    """Number of UnityEyes pictures."""
    persons: int = Field(15, ge=1, le=100)
    """Number of MPIIFaceGaze persons."""
    pictures_per_person: int = Field(100, ge=1)
    seed: int = Field(0, ge=0)


HalfWidth = Annotated[float, Field(ge=-0.5, le=0.5)]


class PrepareUnityEyes(Section):
    """How UnityEyes pictures become eye pictures."""

    crop: Literal["corners", "reference"] = "corners"
    """corners: centred midway between the eye's corners; reference: as FP-GAN, centred on the bounding box of
    the lid margin."""
    crop_width: float = Field(1.3, gt=0.5, lt=4)
    """Width of the crop, in eye widths; `fpgan fit-crop` measures the value that matches the real eyes."""
    crop_shift: tuple[HalfWidth, HalfWidth] = (0, 0)
    """Moves the crop's centre to the right and down, in eye widths; `fpgan fit-crop` measures it too."""
    gaze_pitch: AngleRange | None = None
    """Leaves out samples with any other gaze; null keeps all. FP-GAN: [-40.1, 11.5]."""
    gaze_yaw: AngleRange | None = None
    """As gaze_pitch. FP-GAN: [-40.1, 40.1]."""
    head_pitch: AngleRange | None = None
    """As gaze_pitch, for the head pose. FP-GAN: [-20, 20]."""
    head_yaw: AngleRange | None = None
    """As gaze_pitch, for the head pose. FP-GAN: [-20, 20]."""
    max_bad_fraction: float = Field(0.05, ge=0, lt=1)
    """The stage fails when a larger share of the samples is broken."""

    @property
    def ranges(self) -> tuple[tuple[float, float] | None, ...]:
        """The ranges of gaze pitch, gaze yaw, head pitch and head yaw."""
        return self.gaze_pitch, self.gaze_yaw, self.head_pitch, self.head_yaw


class PrepareMPIIFaceGaze(Section):
    """How MPIIFaceGaze pictures become eye pictures (data normalization, Zhang, Sugano, Bulling 2018)."""

    eye: Literal["both", "evaluated", "left", "right"] = "both"
    """Which eyes to take from a picture; evaluated: the one that the data set names for evaluation."""
    focal_length: float = Field(960, gt=0)
    """Focal length of the normalized camera, in pixels, for a picture 60 wide; scaled with the width."""
    distance: float = Field(600, gt=0)
    """Distance from the normalized camera to the eye, in millimetres."""
    max_bad_fraction: float = Field(0.05, ge=0, lt=1)
    """The stage fails when a larger share of the samples is broken."""


class Augmentation(Section):
    """Random changes to training eyes; landmarks move with the picture, gaze stays the same."""

    shift: float = Field(0.03, ge=0, le=0.5)
    """Largest shift, as a share of the picture's size."""
    scale: float = Field(0.05, ge=0, lt=1)
    """Largest relative change of size."""
    brightness: float = Field(0.2, ge=0, le=1)
    """Largest change of brightness, as a share of the grey range."""
    contrast: float = Field(0.2, ge=0, le=1)
    """Largest relative change of contrast."""
    blur: float = Field(0.3, ge=0, le=1)
    """Probability of a Gaussian blur."""
    blur_sigma: float = Field(1.2, gt=0.3, le=10)
    """Largest standard deviation of the blur, in pixels."""
    noise: float = Field(0.05, ge=0, le=1)
    """Largest standard deviation of pixel noise, as a share of the grey range."""
    equalize: bool = False
    """Whether to equalise the histogram again after the changes, as is done for a blurred webcam picture."""


class TrainEstimator(Section):
    """Parameters that the trainings of both feature networks share."""

    epochs: int = Field(20, ge=1)
    fewest_steps: int = Field(0, ge=0)
    """A set too small for this many steps in its epochs is trained for more epochs."""
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    """Peak of the rate, which rises for a tenth of the steps, then falls along a cosine to 0."""
    patience: int | None = Field(None, ge=1)
    """Number of epochs without a lower validation error after which training ends; null for no such limit."""
    augmentation: Augmentation = Augmentation()

    def epochs_for(self, eyes: int) -> int:
        """The number of epochs for a set of so many eyes."""
        return max(self.epochs, math.ceil(self.fewest_steps / math.ceil(eyes / self.batch_size)))


class Adapt(Section):
    """Adaptive data generation (Lee, Kim, Suh 2018): synthetic eyes that look where the real ones do."""

    method: Literal["auto", "select", "none"] = "auto"
    """select: selects the synthetic eyes that look where the real ones do; none: takes all of them unchanged;
    auto: renders eyes anew on sample data, whose simulator is built in, and selects on other data."""
    rounds: int = Field(1, ge=1)
    """Largest number of rounds; each makes eyes and trains an estimator on them, whose estimates guide the
    next round."""
    settled: float = Field(0.5, ge=0)
    """Rounds end when the estimates of two rounds differ by fewer degrees than this."""
    augmentation: Augmentation = Augmentation(blur=0.7, blur_sigma=2, equalize=True)
    """For the estimators of where real eyes look; stronger, because they have to read the other domain."""
    seed: int = Field(0, ge=0)


class TrainGaze(TrainEstimator):
    """Trainings of gaze estimators."""

    network: Literal["simgan", "reference", "residual"] = "simgan"
    """simgan: GazeNet of Shrivastava et al. 2017 (9 600 flattened inputs); reference: GazeNet as FP-GAN
    implements it (a hidden layer of 9 600 units); residual: a small residual network, for machines without a
    GPU."""


class TrainLandmarks(TrainEstimator):
    """Training of the landmark network (stacked hourglasses, Park et al. 2018)."""

    modules: int = Field(3, ge=1, le=8)
    """Number of stacked hourglasses."""
    features: int = Field(64, ge=4)
    """Number of feature maps of each hourglass."""


class GANWeights(Section):
    """Weights of the loss terms other than the adversarial one; 0 leaves a term out."""

    cycle_synthetic: float = Field(10, ge=0)
    """|F(G(s)) - s|"""
    cycle_real: float = Field(10, ge=0)
    """|G(F(r)) - r|"""
    self_regularization: float = Field(0, ge=0)
    """|G(s) - s| + |F(r) - r|: self-regularization of SimGAN; FP-GAN calls it identity."""
    identity: float = Field(0, ge=0)
    """|G(r) - r| + |F(s) - s|: identity loss of CycleGAN."""
    gaze: float = Field(0, ge=0)
    """Squared difference between the gaze of an eye and that of its translation."""
    landmarks: float = Field(0, ge=0)
    """Squared difference between their landmarks, as shares of the picture's size."""


class GeneratorParams(Section):
    """Architecture of both generators."""

    network: Literal["residual"] = "residual"
    """residual: CycleGAN's generator."""
    filters: int = Field(64, ge=4)
    """Number of feature maps of the first layer."""
    residual_blocks: int = Field(6, ge=1)
    normalization: Literal["instance", "batch", "none"] = "instance"
    upsampling: Literal["transposed", "resize"] = "transposed"
    """transposed: transposed convolutions; resize: nearest neighbour, then a convolution, which avoids
    checkerboard artefacts."""


class DiscriminatorParams(Section):
    """Architecture of both discriminators (PatchGAN)."""

    filters: int = Field(64, ge=4)
    """Number of feature maps of the first layer."""
    layers: int = Field(4, ge=1, le=4)
    """Number of convolutions of stride 2: one to four judge patches of 10, 22, 46 or 94 pixels, so that four
    see a whole picture of 36 x 60 pixels."""
    normalization: Literal["instance", "batch", "none"] = "instance"


class TrainGAN(Section):
    """Training of the generators G (S to R) and F (R to S)."""

    steps: int = Field(150_000, ge=1)
    batch_size: int = Field(8, ge=1)
    """Pairs of eyes per step, over all processes together."""
    learning_rate: float = Field(2e-4, gt=0)
    """Peak of the rate."""
    schedule: Literal["constant_linear", "cosine"] = "constant_linear"
    """constant_linear: constant for half the steps, then linear to 0; cosine: falls to 0 from the start."""
    beta1: float = Field(0.5, ge=0, lt=1)
    """Decay rate of Adam's average of gradients."""
    adversarial_loss: Literal["least_squares", "cross_entropy"] = "least_squares"
    real_label: float = Field(0.9, gt=0, le=1)
    """Target of the discriminators for real pictures (one-sided label smoothing)."""
    pool_size: int = Field(50, ge=0)
    """Number of earlier translations kept for each discriminator (history of SimGAN); 0 for none."""
    generator: GeneratorParams = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    weights: GANWeights = GANWeights()
    discriminator_augmentation: bool = False
    """Whether discriminators see only randomly changed pictures; for a few hundred real eyes or fewer."""
    landmark_target: Literal["network", "label"] = "network"
    """Target landmarks of a translated synthetic eye. network: found in its source; label: the true ones."""
    average_decay: float = Field(0, ge=0, lt=1)
    """Decay of a moving average of the generators' weights, which then replaces the weights; 0 for none."""
    real_eyes: Literal["training_persons", "all_persons"] = "training_persons"
    """Whose pictures are seen, unlabelled; all_persons includes the test persons, as FP-GAN did."""
    keep: Literal["last", "best"] = "last"
    """Which generators are kept. best: those of the tick with the lowest gaze error on the eyes of real
    validation persons, translated to S (the only use of their labels); without labels, the last ones."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on processors that multiply matrices in bf16, otherwise fp32."""
    tick: int = Field(100, ge=1)
    """Steps between two log entries, each with the translations of the fixed grid."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between two checkpoints."""


Variant = dict[str, Any]
"""The changes of a training variant: keys of its section, nested in the same way."""


class CrossPerson(Section):
    """Leave-one-person-out evaluation."""

    persons: list[str] = []
    """Persons to leave out in turn (pipelines/cross_person): each is tested on and not trained on."""
    train_gan: Variant = {}
    """Changes to the GAN's trainings, such as fewer steps."""
    train_gaze: Variant = {}
    """Changes to the trainings of gaze estimators on translated and on real eyes; the default pipeline trains
    the other estimators."""


class Translate(Section):
    """Translation of whole eye sets and of folders of pictures."""

    batch_size: int = Field(256, ge=1)
    """Number of eyes translated at once."""


class Compute(Section):
    """The hardware to use: affects the speed of a training and, except for rounding, not its result."""

    devices: int = Field(1, ge=1)
    """Number of GPUs per node that train the GAN together; on a machine without GPUs, of processes."""
    nodes: int = Field(1, ge=1)
    """Number of machines; more than one need torchrun or SLURM."""
    strategy: Literal["auto", "nccl", "gloo"] = "auto"
    """How devices exchange gradients; auto: nccl between GPUs, gloo between CPUs."""
    compile: Literal["auto", True, False] = "auto"
    """Whether to capture a GAN step as one CUDA graph; auto: on a single GPU."""
    workers: int | None = Field(None, ge=1)
    """Number of processes that augment the training eyes of estimators; null: one, or one per CPU for large
    trainings."""


class Tracking(Section):
    """Where runs are logged."""

    experiment: str = Field("fpgan", min_length=1)
    """Name of the MLflow experiment."""


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("the same seed is named twice")
    return seeds


class Params(Section):
    data: Data = Data()
    eyes: EyePicture = EyePicture()
    split: SplitParams = SplitParams()
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)] = [0]
    """Each network is trained once per seed; results are means over the seeds, with their spread."""
    render_sample: RenderSample = RenderSample()
    prepare_unityeyes: PrepareUnityEyes = PrepareUnityEyes()
    prepare_mpiifacegaze: PrepareMPIIFaceGaze = PrepareMPIIFaceGaze()
    adapt: Adapt = Adapt()
    train_gaze: TrainGaze = TrainGaze()
    train_landmarks: TrainLandmarks = TrainLandmarks()
    train_gan: TrainGAN = TrainGAN()
    translate: Translate = Translate()
    ablation: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], Variant] = {}
    """Variants of train_gan that pipelines/ablation compares, by name, each with its changes."""
    cross_person: CrossPerson = CrossPerson()
    compute: Compute = Compute()
    tracking: Tracking = Tracking()
