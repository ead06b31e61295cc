"""The schema of params.yaml: typed sections, one per stage; `fpgan.config` reads and validates the file."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Data(Section):
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
"""[lowest, highest] in degrees, both included."""


class EyePicture(Section):
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
        """Of the array of one picture: (H, W) or (H, W, 3)."""
        return (self.height, self.width, 3)[: 3 if self.color else 2]


class SplitParams(Section):
    validation_persons: list[str] = ["p10", "p11"]
    """Real persons whose labels choose between epochs and settings."""
    test_persons: list[str] = ["p12", "p13", "p14"]
    """Real persons who are only ever tested on."""
    synthetic_validation: float = Field(0.05, gt=0, lt=0.5)
    """Share of the synthetic eyes, drawn at random."""
    synthetic_test: float = Field(0.1, gt=0, lt=0.5)
    """Share of the synthetic eyes, drawn at random."""

    @model_validator(mode="after")
    def _persons_are_disjoint(self) -> "SplitParams":
        both = set(self.validation_persons) & set(self.test_persons)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} in validation_persons and in test_persons")
        if not self.test_persons:
            raise ValueError("test_persons must name at least one person")
        return self


class RenderSample(Section):
    synthetic: int = Field(2000, ge=1)
    """UnityEyes pictures."""
    persons: int = Field(15, ge=1, le=100)
    """MPIIFaceGaze persons."""
    pictures_per_person: int = Field(100, ge=1)
    seed: int = Field(0, ge=0)


HalfWidth = Annotated[float, Field(ge=-0.5, le=0.5)]


class PrepareUnityEyes(Section):
    crop: Literal["corners", "reference"] = "corners"
    """corners: centred midway between the corners; reference: FP-GAN's, centred on the lid margin's box."""
    crop_width: float = Field(1.3, gt=0.5, lt=4)
    """Width of the crop, in eye widths; `fpgan fit-crop` measures what frames eyes as in the real set."""
    crop_shift: tuple[HalfWidth, HalfWidth] = (0, 0)
    """Moves the crop's centre to the right and down, in eye widths; likewise."""
    gaze_pitch: AngleRange | None = None
    """Samples with another gaze are left out; null keeps all. FP-GAN's: [-40.1, 11.5]."""
    gaze_yaw: AngleRange | None = None
    """As gaze_pitch. FP-GAN's: [-40.1, 40.1]."""
    head_pitch: AngleRange | None = None
    """As gaze_pitch, for the head pose. FP-GAN's: [-20, 20]."""
    head_yaw: AngleRange | None = None
    """As gaze_pitch, for the head pose. FP-GAN's: [-20, 20]."""
    max_bad_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of broken samples beyond which the stage fails."""

    @property
    def ranges(self) -> tuple[tuple[float, float] | None, ...]:
        """Those of gaze pitch and yaw, then of head pitch and yaw."""
        return self.gaze_pitch, self.gaze_yaw, self.head_pitch, self.head_yaw


class PrepareMPIIFaceGaze(Section):
    eye: Literal["both", "evaluated", "left", "right"] = "both"
    focal_length: float = Field(960, gt=0)
    """Pixels, of the normalized camera, for a picture 60 wide; scaled with the width."""
    distance: float = Field(600, gt=0)
    """Millimetres from the normalized camera to the eye."""
    max_bad_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of broken samples beyond which the stage fails."""


class Augmentation(Section):
    """Random changes of training eyes; landmarks move with the picture, gaze does not change."""

    shift: float = Field(0.03, ge=0, le=0.5)
    """Largest shift, as a share of the picture's size."""
    scale: float = Field(0.05, ge=0, lt=1)
    """Largest change of size."""
    brightness: float = Field(0.2, ge=0, le=1)
    contrast: float = Field(0.2, ge=0, le=1)
    blur: float = Field(0.3, ge=0, le=1)
    """Probability of a Gaussian blur."""
    blur_sigma: float = Field(1.2, gt=0.3, le=10)
    """Its largest standard deviation, in pixels."""
    noise: float = Field(0.05, ge=0, le=1)
    """Largest standard deviation of pixel noise, as a share of the grey range."""
    equalize: bool = False
    """Whether a changed picture's histogram is equalised again, as that of a blurred webcam's picture is."""


class TrainEstimator(Section):
    """What the trainings of both feature networks have in common."""

    epochs: int = Field(20, ge=1)
    fewest_steps: int = Field(0, ge=0)
    """Of a set too small to make as many batches in its epochs, more epochs are trained."""
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    """The highest: it rises for a tenth of the steps, then falls along a cosine to 0."""
    patience: int | None = Field(None, ge=1)
    """Epochs without a lower validation error after which training ends; null never does."""
    augmentation: Augmentation = Augmentation()

    def epochs_for(self, eyes: int) -> int:
        """How often training goes through a set of so many eyes."""
        return max(self.epochs, math.ceil(self.fewest_steps / math.ceil(eyes / self.batch_size)))


class Adapt(Section):
    """Adaptive data generation: synthetic eyes that look where the real ones do."""

    method: Literal["auto", "select", "none"] = "auto"
    """auto: eyes are drawn anew where a simulator is at hand, that of the sample data, else selected; select:
    those of the synthetic eyes that look where the real ones do; none: all of them, as they are."""
    rounds: int = Field(1, ge=1)
    """At most: each makes eyes and trains an estimator on them, whose answers the next round goes by."""
    settled: float = Field(0.5, ge=0)
    """Degrees between the answers of two rounds at which they have settled."""
    augmentation: Augmentation = Augmentation(blur=0.7, blur_sigma=2, equalize=True)
    """For the estimators that say where real eyes look: they have to read eyes of the other domain."""
    seed: int = Field(0, ge=0)


class TrainGaze(TrainEstimator):
    network: Literal["simgan", "reference", "residual"] = "simgan"
    """simgan: Shrivastava et al.'s GazeNet (9 600 flattened inputs); reference: FP-GAN's reading of it
    (a hidden layer of 9 600 units); residual: a small residual network, for machines without a GPU."""


class TrainLandmarks(TrainEstimator):
    modules: int = Field(3, ge=1, le=8)
    """Stacked hourglasses."""
    features: int = Field(64, ge=4)
    """Feature maps of each hourglass."""


class GANWeights(Section):
    """Weights of the loss terms beside the adversarial one; 0 leaves a term out."""

    cycle_synthetic: float = Field(10, ge=0)
    """|F(G(s)) - s|"""
    cycle_real: float = Field(10, ge=0)
    """|G(F(r)) - r|"""
    self_regularization: float = Field(0, ge=0)
    """|G(s) - s| + |F(r) - r|: FP-GAN's "identity", SimGAN's self-regularisation."""
    identity: float = Field(0, ge=0)
    """|G(r) - r| + |F(s) - s|: CycleGAN's identity loss."""
    gaze: float = Field(0, ge=0)
    """Squared difference of the gaze of an eye and of its translation."""
    landmarks: float = Field(0, ge=0)
    """Squared difference of the landmarks, as shares of the picture's size."""


class GeneratorParams(Section):
    network: Literal["residual"] = "residual"
    """residual: CycleGAN's generator."""
    filters: int = Field(64, ge=4)
    """Feature maps of the first layer."""
    residual_blocks: int = Field(6, ge=1)
    normalization: Literal["instance", "batch", "none"] = "instance"
    upsampling: Literal["transposed", "resize"] = "transposed"
    """resize: nearest neighbour and a convolution, which leaves no checkerboard."""


class DiscriminatorParams(Section):
    filters: int = Field(64, ge=4)
    """Feature maps of the first layer."""
    layers: int = Field(4, ge=1, le=4)
    """Convolutions of stride 2: one to four judge patches of 10, 22, 46 or 94 pixels; four thus see the whole
    of a 36 x 60 picture."""
    normalization: Literal["instance", "batch", "none"] = "instance"


class TrainGAN(Section):
    steps: int = Field(150_000, ge=1)
    batch_size: int = Field(8, ge=1)
    """Pairs of all processes together."""
    learning_rate: float = Field(2e-4, gt=0)
    """The highest."""
    schedule: Literal["constant_linear", "cosine"] = "constant_linear"
    """constant_linear: constant for half the steps, then linear to 0; cosine: falls to 0 from the start."""
    beta1: float = Field(0.5, ge=0, lt=1)
    adversarial_loss: Literal["least_squares", "cross_entropy"] = "least_squares"
    real_label: float = Field(0.9, gt=0, le=1)
    """What a discriminator is to answer to a real picture (one-sided label smoothing)."""
    pool_size: int = Field(50, ge=0)
    """Earlier translations a discriminator is shown as well."""
    generator: GeneratorParams = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    weights: GANWeights = GANWeights()
    discriminator_augmentation: bool = False
    """Whether discriminators see pictures only after a random change; for a few hundred real eyes or less."""
    landmark_target: Literal["network", "label"] = "network"
    """What landmarks a translated synthetic eye is to have: those found in its source, or the true ones."""
    average_decay: float = Field(0, ge=0, lt=1)
    """Of a moving average of the generators' weights, which is then what is used; 0 leaves it out."""
    real_eyes: Literal["training_persons", "all_persons"] = "training_persons"
    """Whether test persons' pictures are seen, unlabelled."""
    keep: Literal["last", "best"] = "last"
    """Which generators are kept; best: those at the tick with the least gaze error on the real validation
    persons' eyes, translated to S (their labels are used for nothing else); without labels, the last."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the processor multiplies matrices in it."""
    tick: int = Field(100, ge=1)
    """Steps between two log entries, each with the translations of the fixed grid."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between two checkpoints."""


Variant = dict[str, Any]
"""What a variant of a training changes: keys of its section, nested as there."""


class CrossPerson(Section):
    """Leave-one-person-out."""

    persons: list[str] = []
    """Those whom pipelines/cross_person leaves out, each in turn: tested on, and not trained on."""
    train_gan: Variant = {}
    train_gaze: Variant = {}
    """What these trainings change, such as fewer steps. What concerns no real person is trained as always."""


class Translate(Section):
    batch_size: int = Field(256, ge=1)


class Compute(Section):
    """The machine's part: changes how fast a training runs and nothing that it learns, but for rounding."""

    devices: int = Field(1, ge=1)
    """GPUs, or on a machine without any, processes, that train the GAN together, on each node."""
    nodes: int = Field(1, ge=1)
    """Machines; more than one are started by torchrun or SLURM."""
    strategy: Literal["auto", "nccl", "gloo"] = "auto"
    """How devices exchange gradients; auto: nccl between GPUs, gloo between CPUs."""
    compile: Literal["auto", True, False] = "auto"
    """Whether a GAN step is captured as one CUDA graph; auto: on a single GPU."""
    workers: int | None = Field(None, ge=1)
    """Processes that augment the training eyes of estimators; null: as many as pay."""


class Tracking(Section):
    experiment: str = Field("fpgan", min_length=1)
    """MLflow experiment that the runs go to."""


def _unlike(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("the same seed is named twice")
    return seeds


class Params(Section):
    data: Data = Data()
    eyes: EyePicture = EyePicture()
    split: SplitParams = SplitParams()
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_unlike)] = [0]
    """Everything that is trained is trained once a seed; results are means over them, with their spread."""
    render_sample: RenderSample = RenderSample()
    prepare_unityeyes: PrepareUnityEyes = PrepareUnityEyes()
    prepare_mpiifacegaze: PrepareMPIIFaceGaze = PrepareMPIIFaceGaze()
    adapt: Adapt = Adapt()
    train_gaze: TrainGaze = TrainGaze()
    train_landmarks: TrainLandmarks = TrainLandmarks()
    train_gan: TrainGAN = TrainGAN()
    translate: Translate = Translate()
    ablation: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], Variant] = {}
    """The variants of train_gan that pipelines/ablation compares, each with what it changes."""
    cross_person: CrossPerson = CrossPerson()
    compute: Compute = Compute()
    tracking: Tracking = Tracking()
