"""The command line: one function per command, listed in COMMANDS.

A command checks its parameters, calls one function of another module, and returns the text to print. It
imports that module only after the check, because packages such as PyTorch take seconds to load.
"""

import atexit
import gc
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpgan.deployment.export_formats import Format, Pictures
from fpgan.domains import Direction, TrainedOn
from fpgan.errors import InputError, Interrupted, Unavailable
from fpgan.files.writing import needing_room

if TYPE_CHECKING:
    from fpgan.layout import Branch, Trial
    from fpgan.params import Params

DEFAULT_PARAMS = Path("params.yaml")

ParamsOption = Annotated[Path, typer.Option("--params", help="Parameter file.", metavar="FILE")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change one parameter for this call; may be repeated.", metavar="SECTION.KEY=VALUE"
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="Seed of the training; default: the first of 'seeds'.", metavar="N"),
]
VariantOption = Annotated[
    str | None, typer.Option("--variant", help="Variant of 'ablation'; has its own files.", metavar="NAME")
]
PersonOption = Annotated[
    str | None,
    typer.Option(
        "--test-person", help="Person to leave out and test on; has their own files.", metavar="NAME"
    ),
]
PicturesArgument = Annotated[
    Path | None, typer.Argument(help="Your own eye pictures: a folder or one file.", show_default=False)
]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Network to use on PICTURES.", metavar="FILE.safetensors")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="New folder for the results; default: beside PICTURES.")
]
FlipOption = Annotated[
    bool, typer.Option("--flip", help="In PICTURES the inner corner of the eye is on the image's right.")
]


def _load(params: Path, changes: list[str] | None) -> "Params":
    from fpgan.config import load_params

    return load_params(params, changes)


def _branch(params: "Params", variant: str | None, test_person: str | None) -> "tuple[Params, Branch]":
    """A branch of the pipeline, and its parameters."""
    from fpgan.config import leave_out, vary
    from fpgan.layout import Branch

    if variant and test_person:
        raise InputError("--variant and --test-person: give only one of the two")
    if variant:
        params = vary(params, variant)
    if test_person:
        params = leave_out(params, test_person)
    return params, Branch(variant, test_person)


def _trial(
    params: "Params", seed: int | None, variant: str | None = None, test_person: str | None = None
) -> "tuple[Params, Trial]":
    """One training of a branch, and its parameters."""
    from fpgan.layout import Trial

    params, branch = _branch(params, variant, test_person)
    return params, Trial(branch, params.seeds[0] if seed is None else seed)


def use_preset(
    preset: Annotated[
        str,
        typer.Argument(
            help="Name of a file in presets/, or a path.",
            show_default=False,
            autocompletion=lambda: [path.stem for path in Path("presets").glob("*.yaml")],
        ),
    ],
    params: ParamsOption = DEFAULT_PARAMS,
) -> str:
    """Write the values of a preset into the parameter file; all else in it stays."""
    from fpgan.commands.use_preset import use_preset

    return use_preset(preset, params)


def render_sample(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Render the built-in sample data, in both raw formats."""
    loaded = _load(params, changes)
    from fpgan.stages.render_sample import render_sample

    return render_sample(loaded)


def prepare_unityeyes(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Crop UnityEyes pictures, with gaze, head pose and landmarks, into an eye set."""
    loaded = _load(params, changes)
    from fpgan.stages.prepare import prepare_eyes

    return prepare_eyes(loaded, "unityeyes")


def prepare_mpiifacegaze(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Normalize the eyes of MPIIFaceGaze pictures into an eye set."""
    loaded = _load(params, changes)
    from fpgan.stages.prepare import prepare_eyes

    return prepare_eyes(loaded, "mpiifacegaze")


def inspect(
    path: Annotated[
        Path, typer.Argument(help="UnityEyes or MPIIFaceGaze folder, or HDF5 eye set.", show_default=False)
    ],
    other: Annotated[
        Path | None, typer.Argument(help="A second data set to compare with.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Read every picture of a raw folder, not 2000 drawn at random.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for figures and JSON.")] = Path("results/inspect"),
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Check a data set (counts, labels, framing, likely mistakes), or compare two."""
    loaded = _load(params, changes)
    from fpgan.commands.inspect import inspect

    return inspect(path, other, loaded, out, everything=everything)


def fit_crop(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Find the crop of UnityEyes pictures that frames eyes as in the real set."""
    loaded = _load(params, changes)
    from fpgan.commands.fit_crop import fit_crop

    return fit_crop(loaded)


def adapt(
    through: Annotated[
        Path | None,
        typer.Option(
            help="Translate the real eyes by this generator F (R to S) of an earlier run first.",
            metavar="F.safetensors",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the eye set.")] = Path("data/adapted"),
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Make synthetic eyes that look where the real ones do (adaptive data generation)."""
    loaded = _load(params, changes)
    from fpgan.stages.adapt import adapt_stage

    return adapt_stage(loaded, through, out)


def train_gaze(
    on: Annotated[TrainedOn, typer.Option("--on", help="Eyes to train on.")] = TrainedOn.SYNTHETIC,
    seed: SeedOption = None,
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Train a gaze estimator on synthetic, adapted, translated or real eyes."""
    loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
    from fpgan.stages.train_estimators import train_gaze_stage

    return train_gaze_stage(loaded, trial, on)


def train_landmarks(
    seed: SeedOption = None, params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None
) -> str:
    """Train the landmark network on synthetic eyes."""
    loaded, trial = _trial(_load(params, changes), seed)
    from fpgan.stages.train_estimators import train_landmarks_stage

    return train_landmarks_stage(loaded, trial)


def train_gan(
    seed: SeedOption = None,
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Train both generators between the two eye sets."""
    loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
    from fpgan.stages.train_gan import train_gan_stage

    return train_gan_stage(loaded, trial)


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
) -> str:
    """Translate every eye of the pipeline's set, or your own pictures, into the other domain.

    The default --model for PICTURES is the pipeline's generator of that direction, of the first seed.
    """
    if pictures is None:
        _refuse({"--model": model, "--out": out, "--flip": flip}, "only for PICTURES; name a folder of them")
        loaded, trial = _trial(_load(params, changes), seed, variant, test_person)
        from fpgan.stages.translate import translate_stage

        return translate_stage(loaded, trial, direction)
    _refuse(
        {"--seed": seed, "--variant": variant, "--test-person": test_person},
        "not for PICTURES; name the generator by --model",
    )
    loaded = _load(params, changes)
    from fpgan.commands.translate_pictures import translate_pictures

    out = out or _beside(pictures, direction)
    return translate_pictures(loaded, pictures, out, direction, model, flip=flip)


def estimate_gaze(
    pictures: Annotated[
        Path, typer.Argument(help="Your own eye pictures: a folder or one file.", show_default=False)
    ],
    out: OutOption = None,
    model: ModelOption = None,
    flip: FlipOption = False,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Estimate gaze in your own pictures: gaze.csv, and each picture with its gaze arrow.

    The default --model is the pipeline's gaze estimator for real eyes (trained on translated eyes), of the
    first seed.
    """
    loaded = _load(params, changes)
    from fpgan.commands.estimate_gaze import estimate_gaze

    return estimate_gaze(loaded, pictures, out or _beside(pictures, "gaze"), model, flip=flip)


def _beside(pictures: Path, suffix: str) -> Path:
    """The default folder for results: beside the pictures."""
    absolute = pictures.absolute()
    return absolute.with_name(f"{absolute.stem if absolute.is_file() else absolute.name}-{suffix}")


def _refuse(options: dict[str, object], reason: str) -> None:
    """Raises InputError when any of the options was given."""
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise InputError(f"{', '.join(given)}: {reason}")


def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="Eye set, such as data/translated/s2r/0/eyes.h5, or model, such as "
            "models/gan/0/G.safetensors.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Argument(help="New folder or file to write.", show_default=False)],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="For eye sets: folder, with one picture and one JSON file per eye, as FP-GAN's. For models: "
            "onnx, pt2 (torch.export) or safetensors.",
        ),
    ] = "folder",
    pictures: Annotated[
        Pictures, typer.Option(help="Picture files in a folder; png keeps every value, jpg does not.")
    ] = "png",
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Write an eye set, or a trained model, in a format that other programs read."""
    if format == "folder":
        from fpgan.commands.export import export_eyes

        return export_eyes(source, output, pictures)
    picture = _load(params, changes).eyes
    from fpgan.commands.export import export_network

    return export_network(source, output, format, picture)


def evaluate(
    variant: VariantOption = None,
    test_person: PersonOption = None,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Measure gaze errors with and without translation, and how well it preserves gaze and landmarks."""
    default = _load(params, changes)
    loaded, branch = _branch(default, variant, test_person)
    from fpgan.config import adapted_to
    from fpgan.stages.evaluate import evaluate_stage

    return evaluate_stage(loaded, branch, adapted_to(default, loaded.split.test_persons))


def register(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Export the evaluated networks as ONNX and register them in MLflow; the best is the champion."""
    loaded = _load(params, changes)
    from fpgan.stages.register import register_stage

    return register_stage(loaded)


def ablation(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Compare the evaluations of all variants of 'ablation' in one table and one sheet of eyes."""
    loaded = _load(params, changes)
    from fpgan.stages.ablation import ablation_stage

    return ablation_stage(loaded)


def cross_person(params: ParamsOption = DEFAULT_PARAMS, changes: SetOption = None) -> str:
    """Combine the evaluations of all persons left out in turn."""
    loaded = _load(params, changes)
    from fpgan.stages.cross_person import cross_person_stage

    return cross_person_stage(loaded)


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two or more evaluations: MLflow run ids (or their first digits), DVC revisions, or "
            "evaluation.safetensors files. All others are compared with the first.",
            metavar="RUN...",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("results/compare"),
    arrows: Annotated[bool, typer.Option(help="Draw gaze arrows in the sheets.")] = True,
    landmarks: Annotated[bool, typer.Option(help="Draw landmarks in the sheets.")] = False,
    params: ParamsOption = DEFAULT_PARAMS,
    changes: SetOption = None,
) -> str:
    """Compare evaluations: errors, paired tests, the same eyes side by side, and differing parameters."""
    loaded = _load(params, changes)
    from fpgan.commands.compare import compare_evaluations

    return compare_evaluations(runs, loaded, out, arrows=arrows, landmarks=landmarks)


def report(variant: VariantOption = None, test_person: PersonOption = None) -> str:
    """Print the last evaluation again, and where its pictures are."""
    from fpgan.evaluation.evaluation_report import evaluation_report
    from fpgan.layout import Branch

    return evaluation_report(Branch(variant, test_person).results("evaluate") / "metrics.json")


def lineage(
    origin: Annotated[
        str,
        typer.Argument(
            help="A file or folder that a stage made, or an MLflow run id (or its first digits).",
            metavar="RUN_OR_FILE",
            show_default=False,
        ),
    ],
) -> str:
    """Trace a result back to the raw data: runs, versions, commits, changed parameters."""
    from fpgan.commands.lineage import lineage

    return lineage(origin)


def sync() -> str:
    """Send to MLflow the values logged while its server did not answer."""
    from fpgan.tracking.sending import sync

    return sync()


def digest_code() -> str:
    """Write digests of the code that each stage reaches: the first stage of dvc.yaml."""
    from fpgan.provenance.stage_code import write_code_files

    return write_code_files()


COMMANDS: dict[str, list[Callable[..., str]]] = {  # by their heading in `fpgan --help`
    "Data": [render_sample, prepare_unityeyes, prepare_mpiifacegaze, inspect, fit_crop, adapt],
    "Networks": [train_gaze, train_landmarks, train_gan],
    "Results": [translate, evaluate, register, report, compare, ablation, cross_person, lineage],
    "Your own pictures and programs": [estimate_gaze, export],
    "Project": [use_preset, sync, digest_code],
}


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fpgan {version('fpgan')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """FP-GAN: translates eyes between synthetic and real pictures and measures the effect on gaze."""


def _print_report(report: str, **_options: object) -> None:
    if report:
        print(report)


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(result_callback=_print_report)(_options)
for heading, functions in COMMANDS.items():
    for function in functions:
        app.command(rich_help_panel=heading)(function)


def main() -> None:
    """Runs a command, and answers errors with a message instead of a traceback.

    Exit codes: 2 for a user's mistake, 1 for a diverged training or a full disk, 128 plus the signal's number
    for a command stopped by a signal.
    """
    # Packages create a million objects that live to the end. Searching them for garbage time and again, and
    # once more at the end, would take a third of the time that a stage needs to start.
    gc.set_threshold(20_000, 20, 20)
    atexit.register(gc.freeze)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log file shows each status line at once
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
