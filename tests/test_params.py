from pathlib import Path

import pytest

from fpgan.errors import InputError
from fpgan.params import Params, load_params

ROOT = Path(__file__).parent.parent


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "name", ["params.yaml", *(str(p.relative_to(ROOT)) for p in ROOT.glob("pipelines/*.yaml"))]
)
def test_shipped_parameters_are_complete_and_valid(name: str) -> None:
    params = load_params(ROOT / name)
    import yaml

    # Whoever reads the file sees every key there is.
    assert _keys(yaml.safe_load((ROOT / name).read_text())) == _keys(params.model_dump())


def _keys(values: object, prefix: str = "") -> set[str]:
    if not isinstance(values, dict):
        return {prefix}
    return set().union(*(_keys(value, f"{prefix}.{key}") for key, value in values.items()))


def test_the_paper_preset_is_the_published_setting() -> None:
    params = load_params(ROOT / "pipelines/paper.yaml")
    gan = params.train_gan
    assert (params.eyes.height, params.eyes.width, params.eyes.color) == (36, 60, False)
    assert (gan.generator.filters, gan.generator.residual_blocks, gan.discriminator.filters) == (64, 6, 64)
    assert (gan.steps, gan.batch_size, gan.real_label, gan.learning_rate) == (150_000, 8, 0.9, 2e-4)
    assert (gan.weights.cycle_synthetic, gan.weights.cycle_real) == (10, 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train_gan:\n  weights:\n    gase: 3\n", [":3:", "train_gan.weights.gase", "did you mean 'gaze'"]),
        ("train_gam:\n  steps: 3\n", [":1:", "train_gam", "did you mean 'train_gan'"]),
        ("train_gan:\n  steps: -1\n", [":2:", "train_gan.steps", "greater than or equal to 1", "-1"]),
        ("train_gan:\n  steps: many\n", [":2:", "train_gan.steps", "integer", "'many'"]),
        ("eyes:\n  width: 61\n", [":2:", "eyes.width", "multiple of 4"]),
        ("prepare_unityeyes: {crop: tight}\n", ["prepare_unityeyes.crop", "'corners' or 'reference'"]),
        (
            "prepare_unityeyes:\n  head_yaw: [20, -20]\n",
            [":2:", "prepare_unityeyes.head_yaw", "the lowest angle comes first", "[20, -20]"],
        ),
        ("prepare_unityeyes: {gaze_pitch: [0, 200]}\n", ["prepare_unityeyes.gaze_pitch", "90", "200"]),
        ("prepare_unityeyes: {gaze_pitch: 20}\n", ["prepare_unityeyes.gaze_pitch", "tuple", "20"]),
        ("split:\n  test_persons: [p10]\n", [":1:", "p10", "test_persons"]),
        ("- a\n- b\n", ["expected sections"]),
        ("a: [\n", ["not valid YAML"]),
    ],
)
def test_mistakes_are_named_with_line_key_and_remedy(tmp_path: Path, text: str, expected: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load_params(write(tmp_path, text))
    for part in expected:
        assert part in str(error.value)


def test_set_changes_one_value_and_is_validated_like_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "train_gan:\n  steps: 7\n")
    params = load_params(path, ["train_gan.weights.gaze=2.5", "split.test_persons=[p01]"])
    assert (params.train_gan.steps, params.train_gan.weights.gaze) == (7, 2.5)
    assert params.split.test_persons == ["p01"]
    with pytest.raises(InputError, match=r"--set: train_gan.stepz.*did you mean 'steps'"):
        load_params(path, ["train_gan.stepz=3"])
    with pytest.raises(InputError, match=r"expected section\.key=value"):
        load_params(path, ["train_gan"])
    with pytest.raises(InputError, match="not a section"):
        load_params(path, ["train_gan.steps.more=1"])


def test_an_empty_file_gives_the_defaults_and_a_missing_one_an_error(tmp_path: Path) -> None:
    assert load_params(write(tmp_path, "")) == Params()
    with pytest.raises(InputError, match="--params"):
        load_params(tmp_path / "absent.yaml")
