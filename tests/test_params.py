from pathlib import Path

import pytest
import yaml

from fpgan.config import leave_out, load_params, vary
from fpgan.errors import InputError
from fpgan.params import Params

ROOT = Path(__file__).parent.parent


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_shipped_parameters_are_complete_and_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    # Whoever reads the file sees every key there is.
    assert _keys(yaml.safe_load((ROOT / "params.yaml").read_text())) == _keys(params.model_dump())


def _keys(values: object, prefix: str = "") -> set[str]:
    if not isinstance(values, dict):
        return {prefix}
    return set().union(*(_keys(value, f"{prefix}.{key}") for key, value in values.items()))


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    params = Params.model_validate({"ablation": {"plain": {"weights": {"gaze": 7}, "steps": 9}}})
    varied = vary(params, "plain")
    assert (varied.train_gan.weights.gaze, varied.train_gan.steps) == (7, 9)
    same = {"weights": params.train_gan.weights, "steps": params.train_gan.steps}
    assert varied.train_gan.model_copy(update=same) == params.train_gan
    assert varied.model_copy(update={"train_gan": params.train_gan}) == params
    with pytest.raises(InputError, match="no variant 'plane'; there are: plain"):
        vary(params, "plane")


def test_a_small_set_is_trained_on_more_often() -> None:
    values = {"epochs": 3, "batch_size": 10, "fewest_steps": 40}
    section = Params.model_validate({"train_gaze": values}).train_gaze
    assert section.epochs_for(1000) == 3
    assert section.epochs_for(75) == 5
    assert section.epochs_for(5) == 40


def test_who_is_left_out_is_tested_alone() -> None:
    split = leave_out(Params(), "p03").split
    assert (split.test_persons, split.validation_persons) == (["p03"], [])
    assert split.synthetic_test == Params().split.synthetic_test


def test_trainings_without_a_person_may_take_fewer_steps(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "train_gan: {steps: 9, tick: 3}\ntrain_gaze: {epochs: 8}\n"
        "cross_person: {train_gan: {steps: 4}, train_gaze: {epochs: 2}}\n",
    )
    params = load_params(path)
    left_out = leave_out(params, "p03")
    assert (left_out.train_gan.steps, left_out.train_gan.tick, params.train_gan.steps) == (4, 3, 9)
    assert (left_out.train_gaze.epochs, params.train_gaze.epochs) == (2, 8)
    with pytest.raises(InputError, match=r":1: cross_person\.train_gan\.stepz: .*did you mean 'steps'"):
        load_params(write(tmp_path, "cross_person: {train_gan: {stepz: 4}}\n"))
    with pytest.raises(InputError, match=r":1: cross_person\.train_gaze\.epoch: .*did you mean 'epochs'"):
        load_params(write(tmp_path, "cross_person: {train_gaze: {epoch: 4}}\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train_gan:\n  weights:\n    gase: 3\n", [":3:", "train_gan.weights.gase", "did you mean 'gaze'"]),
        ("train_gam:\n  steps: 3\n", [":1:", "train_gam", "did you mean 'train_gan'"]),
        ("train_gan:\n  steps: -1\n", [":2:", "train_gan.steps", "greater than or equal to 1", "-1"]),
        ("train_gan:\n  steps: many\n", [":2:", "train_gan.steps", "integer", "'many'"]),
        (
            "ablation:\n  plain:\n    weights: {gase: 3}\n",
            [":3:", "ablation.plain.weights.gase", "did you mean 'gaze'"],
        ),
        ("ablation: {plain: {steps: -1}}\n", [":1:", "ablation.plain.steps", "greater than", "-1"]),
        ("ablation: {../plain: {}}\n", ["ablation.../plain", "pattern"]),
        ("seeds: []\n", [":1:", "seeds", "at least 1"]),
        ("seeds: [1, 1]\n", [":1:", "seeds", "named twice"]),
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


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train_gaze.patience", "0", "greater than or equal to 1"),
        ("train_landmarks.patience", "0", "greater than or equal to 1"),
        ("train_gan.schedule", "linear", "'constant_linear' or 'cosine'"),
        ("train_gan.adversarial_loss", "hinge", "'least_squares' or 'cross_entropy'"),
        ("train_gan.real_label", "0", "greater than 0"),
        ("train_gan.real_label", "1.1", "less than or equal to 1"),
        ("train_gan.pool_size", "-1", "greater than or equal to 0"),
        ("train_gan.generator.filters", "2", "greater than or equal to 4"),
        ("train_gan.generator.residual_blocks", "0", "greater than or equal to 1"),
        ("train_gan.generator.normalization", "layer", "'instance', 'batch' or 'none'"),
        ("train_gan.generator.upsampling", "bilinear", "'transposed' or 'resize'"),
        ("train_gan.discriminator.filters", "2", "greater than or equal to 4"),
        ("train_gan.discriminator.layers", "0", "greater than or equal to 1"),
        ("train_gan.discriminator.layers", "5", "less than or equal to 4"),
        ("train_gan.discriminator.normalization", "layer", "'instance', 'batch' or 'none'"),
        ("train_gan.weights.cycle_synthetic", "-1", "greater than or equal to 0"),
        ("train_gan.weights.cycle_real", "-1", "greater than or equal to 0"),
        ("train_gan.weights.self_regularization", "-1", "greater than or equal to 0"),
        ("train_gan.weights.identity", "-1", "greater than or equal to 0"),
        ("train_gan.weights.gaze", "-1", "greater than or equal to 0"),
        ("train_gan.weights.landmarks", "-1", "greater than or equal to 0"),
        ("train_gan.landmark_target", "truth", "'network' or 'label'"),
        ("train_gan.average_decay", "1", "less than 1"),
        ("train_gan.average_decay", "-0.1", "greater than or equal to 0"),
        ("train_gan.keep", "first", "'last' or 'best'"),
        ("train_gan.precision", "fp16", "'auto', 'fp32' or 'bf16'"),
        ("compute.devices", "0", "greater than or equal to 1"),
        ("compute.nodes", "0", "greater than or equal to 1"),
        ("compute.strategy", "mpi", "'auto', 'nccl' or 'gloo'"),
        ("compute.compile", "fast", "'auto', True or False"),
        ("compute.workers", "0", "greater than or equal to 1"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_key_and_what_it_may_be(
    tmp_path: Path, key: str, value: str, expected: str
) -> None:
    with pytest.raises(InputError) as error:
        load_params(write(tmp_path, ""), [f"{key}={value}"])
    assert str(error.value).startswith(f"--set: {key}: ")
    assert expected in str(error.value)
    assert str(error.value).endswith(f"found {yaml.safe_load(value)!r}")


@pytest.mark.parametrize(
    ("text", "value"), [("auto", "auto"), ("true", True), ("false", False), ("on", True), ("off", False)]
)
def test_a_step_is_captured_or_not_or_as_the_machine_can(tmp_path: Path, text: str, value: object) -> None:
    in_file = load_params(write(tmp_path, f"compute:\n  compile: {text}\n"))
    assert (in_file.compute.compile, type(in_file.compute.compile)) == (value, type(value))
    assert load_params(write(tmp_path, ""), [f"compute.compile={text}"]) == in_file


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
