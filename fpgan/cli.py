"""The command line: one command a stage; it parses, calls one function and prints.

A stage is imported after its parameters have been checked: its packages take seconds to load.
"""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fpgan.errors import InputError, Interrupted, Unavailable
from fpgan.files.writing import needing_room

if TYPE_CHECKING:
    from fpgan.layout import Branch, Trial
    from fpgan.params import Params

app = typer.Typer(
    help="FP-GAN: translates eyes between synthetic and real pictures and measures what that does to gaze.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

DATA, NETWORKS, RESULTS = "Data", "Networks", "Results"

ParamsOption = Annotated[Path, typer.Option("--params", help="Parameter file.", metavar="FILE")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change one parameter for this call; may be repeated.", metavar="SECTION.KEY=VALUE"
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="Which training of several; the first of 'seeds' unless told.", metavar="N"),
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", help="A variant of 'ablation', with files of its own.", metavar="NAME"),
]
PersonOption = Annotated[
    str | None,
    typer.Option("--test-person", help="Leave this person out, with files of its own.", metavar="NAME"),
]
PicturesArgument = Annotated[
    Path | None, typer.Argument(help="Folder of your own eye pictures, or one.", show_default=False)
]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Network to use on PICTURES.", metavar="FILE.safetensors")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="New folder for what is made of PICTURES; beside them unless told."),
]
FlipOption = Annotated[
    bool, typer.Option("--flip", help="The inner corner of the eyes in PICTURES is on the image's right.")
]
DEFAULT_PARAMS = Path("params.yaml")


class Domain(StrEnum):
    synthetic = "synthetic"
    adapted = "adapted"
    translated = "translated"
    real = "real"


class Direction(StrEnum):
    s2r = "s2r"
    r2s = "r2s"


class Format(StrEnum):
    folder = "folder"
    onnx = "onnx"
    pt2 = "pt2"
    safetensors = "safetensors"


class Pictures(StrEnum):
    png = "png"
    jpg = "jpg"


def _load(params: Path, changes: list[str] | None) -> "Params":
    from fpgan.config import load_params

    return load_params(params, changes)


def _branch(params: "Params", variant: str | None, test_person: str | None) -> "tuple[Params, Branch]":
    """The parameters of a branch of the pipeline, and which it is."""
    from fpgan.config import leave_out, vary
    from fpgan.layout import Branch

    if variant and test_person:
        raise InputError("--variant and --test-person: name one of the two")
    if variant:
        params = vary(params, variant)
    if test_person:
        params = leave_out(params, test_person)
    return params, Branch(variant, test_person)


def _trial(
    params: "Params", seed: int | None, variant: str | None = None, test_person: str | None = None
) -> "tuple[Params, Trial]":
    """The parameters of one training, and which it is."""
    from fpgan.layout import Trial

    params, branch = _branch(params, variant, test_person)
    return params, Trial(branch, params.seeds[0] if seed is None else seed)


@app.command(rich_help_panel=DATA)
def render_sample(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Render the built-in sample data, in both raw formats."""
    loaded = _load(params, changes)
    from fpgan.stages.render_sample import render_sample

    print(render_sample(loaded))


@app.command(rich_help_panel=DATA)
def prepare_unityeyes(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Crop UnityEyes pictures, with gaze, head pose and landmarks, into an eye set."""
    loaded = _load(params, changes)
    from fpgan.stages.prepare import prepare_eyes

    print(prepare_eyes(loaded, "unityeyes"))


@app.command(rich_help_panel=DATA)
def prepare_mpiifacegaze(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Normalize the eyes of MPIIFaceGaze pictures into an eye set."""
    loaded = _load(params, changes)
    from fpgan.stages.prepare import prepare_eyes

    print(prepare_eyes(loaded, "mpiifacegaze"))


@app.command(rich_help_panel=DATA)
def inspect(
    path: Annotated[
        Path, typer.Argument(help="UnityEyes or MPIIFaceGaze folder, or HDF5 eye set.", show_default=False)
    ],
    other: Annotated[
        Path | None, typer.Argument(help="Another, to compare the first with.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Read every picture of a raw folder, not 2000 drawn at random.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for figures and JSON.")] = Path("results/inspect"),
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Look at a data set: counts, labels, framing, and in words what looks wrong; or compare two."""
    loaded = _load(params, changes)
    from fpgan.commands.inspect import inspect

    print(inspect(path, other, loaded, out, everything=everything))


@app.command(rich_help_panel=DATA)
def fit_crop(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Find the crop of UnityEyes pictures that frames eyes as in the real set."""
    loaded = _load(params, changes)
    from fpgan.commands.fit_crop import fit_crop

    print(fit_crop(loaded))


@app.command(rich_help_panel=DATA)
def adapt(
    through: Annotated[
        Path | None,
        typer.Option(
            help="Generator F (R to S) of an earlier run, through which real eyes are seen.",
            metavar="F.safetensors",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the eye set.")] = Path("data/adapted"),
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Make synthetic eyes that look where the real ones do (adaptive data generation)."""
    loaded = _load(params, changes)
    from fpgan.stages.adapt import adapt_stage

    print(adapt_stage(loaded, through, out))


@app.command(rich_help_panel=NETWORKS)
def train_gaze(
    on: Annotated[Domain, typer.Option("--on", help="Eyes to train on.")] = Domain.synthetic,
    seed: SeedOption = None,
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Train a gaze estimator on synthetic, adapted, translated or real eyes."""
    loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
    from fpgan.stages.train_estimators import train_gaze_stage

    print(train_gaze_stage(loaded, trial, on.value))


@app.command(rich_help_panel=NETWORKS)
def train_landmarks(
    seed: SeedOption = None, params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None
) -> None:
    """Train the landmark network on synthetic eyes."""
    loaded, trial = _trial(_load(params, changes), seed)
    from fpgan.stages.train_estimators import train_landmarks_stage

    print(train_landmarks_stage(loaded, trial))


@app.command(rich_help_panel=NETWORKS)
def train_gan(
    seed: SeedOption = None,
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Train both generators between the two eye sets."""
    loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
    from fpgan.stages.train_gan import train_gan_stage

    if report := train_gan_stage(loaded, trial):
        print(report)


@app.command(rich_help_panel=RESULTS)
def translate(
    direction: Annotated[Direction, typer.Option(help="s2r: synthetic to real; r2s: real to synthetic.")],
    pictures: PicturesArgument = None,
    model: ModelOption = None,
    out: OutOption = None,
    flip: FlipOption = False,
    seed: SeedOption = None,
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Translate every eye of the pipeline's set, or your own pictures, into the other domain.

    With PICTURES, --model is a generator of that direction; unless told, the default pipeline's of the first
    of 'seeds'.
    """
    if pictures is None:
        _refuse({"--model": model, "--out": out, "--flip": flip}, "without PICTURES; name a folder of them")
        loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
        from fpgan.stages.translate import translate_stage

        print(translate_stage(loaded, trial, direction.value))
        return
    _refuse(
        {"--seed": seed, "--variant": variant, "--test-person": test_person},
        "with PICTURES; name the generator by --model",
    )
    loaded = _load(params, changes)
    from fpgan.commands.translate_pictures import translate_pictures

    out = out or _beside(pictures, direction.value)
    print(translate_pictures(loaded, pictures, out, direction.value, model, flip=flip))


@app.command(rich_help_panel=RESULTS)
def estimate_gaze(
    pictures: Annotated[Path, typer.Argument(help="Folder of eye pictures, or one.", show_default=False)],
    out: OutOption = None,
    model: ModelOption = None,
    flip: FlipOption = False,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Estimate gaze in your own pictures: gaze.csv, and each picture with its gaze arrow.

    --model is a gaze estimator; unless told, the default pipeline's for real eyes, trained on translated
    eyes, of the first of 'seeds'.
    """
    loaded = _load(params, changes)
    from fpgan.commands.estimate_gaze import estimate_gaze

    print(estimate_gaze(loaded, pictures, out or _beside(pictures, "gaze"), model, flip=flip))


def _beside(pictures: Path, what: str) -> Path:
    """The folder for what is made of pictures."""
    absolute = pictures.absolute()
    return absolute.with_name(f"{absolute.stem if absolute.is_file() else absolute.name}-{what}")


def _refuse(options: dict[str, object], reason: str) -> None:
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise InputError(f"{', '.join(given)}: not {reason}")


@app.command(rich_help_panel=RESULTS)
def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="Eye set, such as data/translated/s2r/0/eyes.h5, or model, such as "
            "models/gan/0/G.safetensors.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Argument(help="What to write; it must not be there yet.", show_default=False)
    ],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Of eye sets folder: a picture and a JSON file an eye, as FP-GAN's. Of models onnx, pt2 "
            "(torch.export) or safetensors.",
        ),
    ] = Format.folder,
    pictures: Annotated[
        Pictures, typer.Option(help="In a folder; png keeps every value, jpg does not.")
    ] = Pictures.png,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Write an eye set, or a trained model, in a format that other programs read."""
    form: Literal["folder", "onnx", "pt2", "safetensors"] = format.value
    if form == "folder":
        from fpgan.commands.export import export_eyes

        print(export_eyes(source, output, pictures.value))
        return
    picture = _load(params, changes).eyes
    from fpgan.commands.export import export_network

    print(export_network(source, output, form, picture))


@app.command(rich_help_panel=RESULTS)
def evaluate(
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Measure gaze errors with and without translation, and what translation preserves."""
    default = _load(params, changes)
    loaded, branch = _branch(default, variant, test_person)
    from fpgan.config import adapted_to
    from fpgan.stages.evaluate import evaluate_stage

    print(evaluate_stage(loaded, branch, adapted_to(default, loaded.split.test_persons)))


@app.command(rich_help_panel=RESULTS)
def register(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Export the evaluated networks as ONNX and register them in MLflow; the best is the champion."""
    loaded = _load(params, changes)
    from fpgan.stages.register import register_stage

    print(register_stage(loaded))


@app.command(rich_help_panel=RESULTS)
def ablation(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Put the evaluations of all variants of 'ablation' into one table and one sheet of eyes."""
    loaded = _load(params, changes)
    from fpgan.stages.ablation import ablation_stage

    print(ablation_stage(loaded))


@app.command(rich_help_panel=RESULTS)
def cross_person(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> None:
    """Put the evaluations of all persons left out in turn together."""
    loaded = _load(params, changes)
    from fpgan.stages.cross_person import cross_person_stage

    print(cross_person_stage(loaded))


@app.command(rich_help_panel=RESULTS)
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two or more evaluations: MLflow run ids (or their first digits), DVC revisions, or "
            "evaluation.h5 files. All others are compared with the first.",
            metavar="RUN...",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("results/compare"),
    arrows: Annotated[bool, typer.Option(help="Draw gaze arrows in the sheets.")] = True,
    landmarks: Annotated[bool, typer.Option(help="Draw landmarks in the sheets.")] = False,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> None:
    """Compare evaluations: errors, paired tests, the same eyes side by side, and what parameters differ."""
    loaded = _load(params, changes)
    from fpgan.commands.compare import compare_evaluations

    print(compare_evaluations(runs, loaded, out, arrows=arrows, landmarks=landmarks))


@app.command(rich_help_panel=RESULTS)
def report(variant: VariantOption = None, test_person: PersonOption = None) -> None:
    """Print the last evaluation again, and where its pictures are."""
    from fpgan.evaluation.evaluation_report import evaluation_report
    from fpgan.layout import Branch

    print(evaluation_report(Branch(variant, test_person).results("evaluate") / "metrics.json"))


@app.command(rich_help_panel=RESULTS)
def sync() -> None:
    """Send to MLflow what was logged while its store did not answer."""
    from fpgan.tracking.sending import sync

    print(sync())


@app.command(hidden=True)
def digest_code() -> None:
    """Write the digests of the code that each stage reaches: the first stage of dvc.yaml."""
    from fpgan.provenance.stage_code import write_code_files

    print(write_code_files())


@app.command(rich_help_panel=RESULTS)
def lineage(
    origin: Annotated[
        str,
        typer.Argument(
            help="A file or folder that a stage made, or an MLflow run id (or its first digits).",
            metavar="RUN_OR_FILE",
            show_default=False,
        ),
    ],
) -> None:
    """Show what a result came from, back to the raw data: runs, versions, commits, changed parameters."""
    from fpgan.commands.lineage import lineage

    print(lineage(origin))


def main() -> None:
    """Runs a command: exit code 2 for a user's mistake, 1 for a training that diverged or a full disk, 128
    and the signal's number for one that a signal stopped; no traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a status line shows at once in a log file too
    try:
        with needing_room(Path()):
            app()
    except InputError as error:
        print(f"fpgan: {error}", file=sys.stderr)
        sys.exit(2)
    except (FloatingPointError, Unavailable) as error:
        print(f"fpgan: {error}", file=sys.stderr)
        sys.exit(1)
    except Interrupted as error:
        print(f"fpgan: {error}", file=sys.stderr)
        sys.exit(128 + error.signal_number)
