"""Translates a whole prepared eye set into the other domain."""

from fpgan.device import default_device
from fpgan.domains import Direction
from fpgan.figures.eye_sheets import translation_sheet
from fpgan.layout import ADAPTED, PREPARED_REAL, Trial
from fpgan.networks.generator import Generator
from fpgan.networks.weights import load_network
from fpgan.params import Params
from fpgan.progress import progress_bar
from fpgan.runs.stage import run_stage
from fpgan.translation import translate_eye_set


def translate_stage(params: Params, trial: Trial, direction: Direction) -> str:
    """Translates every eye of the source domain; returns what it wrote, in words."""
    source = ADAPTED if direction is Direction.S2R else PREPARED_REAL
    weights, output = trial.generator(direction), trial.translated(direction)
    with run_stage(
        f"translate-{direction}",
        params,
        sections={"translate": params.translate},
        inputs={"eyes": source, "generator": weights},
        output=output.parent,
        description=f"Every eye of {source}, translated {direction}.",
        belongs_to=trial,
    ) as stage:
        generator = load_network(weights, Generator).to(default_device())
        with progress_bar("eye") as advance:
            made = translate_eye_set(
                generator,
                source,
                stage.output / output.name,
                params.translate.batch_size,
                progress=advance,
            )
        translation_sheet(made.before.image, made.after.image).savefig(stage.results / "translations.png")
        stage.score({"eyes": made.count})
        return stage.conclude(f"{made.count} eyes", f"{output}: {made.count} eyes translated {direction}")
