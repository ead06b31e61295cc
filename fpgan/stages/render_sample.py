"""The stage that renders the built-in sample data in both raw formats."""

from tqdm import tqdm

from fpgan.layout import SAMPLE
from fpgan.params import Params
from fpgan.runs.stage import run_stage
from fpgan.sample.write_mpiifacegaze import write_mpiifacegaze
from fpgan.sample.write_unityeyes import write_unityeyes


def render_sample(params: Params) -> str:
    """Writes data/sample/UnityEyes and data/sample/MPIIFaceGaze; returns a sentence about them."""
    section = params.render_sample
    with run_stage(
        "render-sample",
        params,
        sections={"render_sample": section},
        inputs={},
        output=SAMPLE,
        description="Sample data: procedural eyes in the UnityEyes and the MPIIFaceGaze format.",
    ) as stage:
        total = section.synthetic + section.persons * section.pictures_per_person
        with tqdm(total=total, unit="picture", disable=None) as progress:
            synthetic = write_unityeyes(
                stage.output / "UnityEyes", section.synthetic, section.seed, progress=progress.update
            )
            real = write_mpiifacegaze(
                stage.output / "MPIIFaceGaze",
                section.persons,
                section.pictures_per_person,
                section.seed,
                progress=progress.update,
            )
        stage.score({"synthetic_pictures": synthetic, "real_pictures": real})
        return stage.conclude(
            f"{synthetic} and {real} pictures",
            f"{synthetic} UnityEyes and {real} MPIIFaceGaze pictures of sample data in {SAMPLE}",
        )
