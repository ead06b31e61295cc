"""A preset changes the values that it names, and nothing else in params.yaml."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fpgan.cli import app
from fpgan.commands.use_preset import use_preset
from fpgan.config import load_params
from fpgan.errors import InputError
from fpgan.files.yaml_editing import edited_yaml

ROOT = Path(__file__).parent.parent
SHIPPED = (ROOT / "params.yaml").read_text()
PRESETS = sorted((ROOT / "presets").glob("*.yaml"))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped parameters, in a folder that has the presets."""
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(SHIPPED)
    return Path("params.yaml")


def write_preset(text: str) -> str:
    Path("mine.yaml").write_text(text)
    return "mine.yaml"


def repeated(preset: dict[str, Any], shipped: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of a preset whose values params.yaml has already."""
    for key, value in preset.items():
        if value == shipped[key]:
            yield prefix + key
        elif isinstance(value, dict):
            yield from repeated(value, shipped[key], f"{prefix}{key}.")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_a_preset_is_valid_and_states_only_differences(preset: Path, path: Path) -> None:
    load_params(preset)
    assert not list(repeated(yaml.safe_load(preset.read_text()), yaml.safe_load(SHIPPED)))
    use_preset(preset.stem, path)
    load_params(path)


def test_the_paper_preset_is_the_published_setting(path: Path) -> None:
    use_preset("paper", path)
    params = load_params(path)
    gan = params.train_gan
    assert (params.eyes.height, params.eyes.width, params.eyes.color) == (36, 60, False)
    assert (gan.generator.filters, gan.generator.residual_blocks, gan.discriminator.filters) == (64, 6, 64)
    assert (gan.steps, gan.batch_size, gan.real_label, gan.learning_rate) == (150_000, 8, 0.9, 2e-4)
    assert (gan.weights.cycle_synthetic, gan.weights.cycle_real) == (10, 10)
    assert (gan.generator.normalization, gan.discriminator.normalization) == ("instance", "instance")
    assert (gan.generator.upsampling, gan.adversarial_loss) == ("transposed", "least_squares")
    assert (gan.schedule, gan.pool_size, gan.beta1) == ("constant_linear", 50, 0.5)
    assert (gan.average_decay, gan.keep, gan.landmark_target) == (0, "last", "network")
    assert (params.prepare_unityeyes.crop, params.prepare_mpiifacegaze.eye) == ("reference", "evaluated")
    assert (params.adapt.method, params.cross_person.train_gan) == ("none", {})


def test_each_change_is_printed_on_a_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["use-preset", "paper"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "  train_gan.steps: 1500 -> 150000\n" in printed
    assert "  train_gan.weights.gaze: 1 -> 30\n" in printed
    assert "  train_gaze.network: residual -> reference\n" in printed
    assert "  cross_person.train_gan: {steps: 600, learning_rate: 0.001} -> {}\n" in printed
    app(["use-preset", "presets/paper.yaml"], standalone_mode=False)
    assert capsys.readouterr().out == "params.yaml: already has all values of presets/paper.yaml\n"


def test_comments_order_and_the_users_own_values_stay(path: Path) -> None:
    text = SHIPPED.replace("data/sample/UnityEyes #", "'/mnt/my eyes' # mine:").replace("seed: 0", "seed: 7")
    path.write_text(text)
    use_preset("paper", path)
    changed = path.read_text()
    assert re.findall("#.*", changed) == re.findall("#.*", text)
    assert re.findall("^ *[a-z_0-9]+:", changed, re.MULTILINE) == re.findall(
        "^ *[a-z_0-9]+:", text, re.MULTILINE
    )
    assert "unityeyes: '/mnt/my eyes' # mine:" in changed
    assert "augmentation: *augmentation" in changed
    assert changed.count("\n") == text.count("\n")
    params = load_params(path)
    assert (params.data.unityeyes, params.adapt.seed) == (Path("/mnt/my eyes"), 7)


def test_a_section_shared_by_an_alias_changes_only_where_the_preset_names_it(path: Path) -> None:
    before = load_params(path)
    use_preset(write_preset("train_gaze: {augmentation: {shift: 0.2}}"), path)
    after = load_params(path)
    assert after.train_gaze.augmentation.shift == 0.2
    assert after.train_landmarks == before.train_landmarks
    assert re.findall("#.*", path.read_text()) == re.findall("#.*", SHIPPED)
    path.write_text(SHIPPED)
    use_preset(write_preset("train_landmarks: {augmentation: {shift: 0.2}}"), path)
    after = load_params(path)
    assert after.train_landmarks.augmentation.shift == 0.2
    assert after.train_gaze == before.train_gaze


def test_values_merged_from_another_section_are_not_changed_there(path: Path) -> None:
    text = SHIPPED.replace("augmentation: *augmentation", "augmentation: {<<: *augmentation, noise: 0.1}")
    path.write_text(text)
    with pytest.raises(InputError, match=r"params\.yaml: .*'<<'.* write them out first"):
        use_preset(write_preset("train_gaze: {augmentation: {shift: 0.2}}"), path)
    assert path.read_text() == text
    use_preset(write_preset("train_landmarks: {augmentation: {shift: 0.2}}"), path)
    params = load_params(path)
    assert (params.train_landmarks.augmentation.shift, params.train_landmarks.augmentation.noise) == (
        0.2,
        0.1,
    )
    assert params.train_gaze.augmentation.shift == 0.03


@pytest.mark.parametrize("text", ["", "{}\n", "# mine\ntrain_gan:\n  # why\n  tick: 3\n\n# end\n"])
def test_keys_that_the_file_lacks_are_added(path: Path, text: str) -> None:
    path.write_text(text)
    before = load_params(path).model_dump()
    use_preset(write_preset("train_gan: {steps: 4, weights: {gaze: 3}}\nseeds: [1, 2]"), path)
    before["train_gan"]["steps"], before["train_gan"]["weights"]["gaze"], before["seeds"] = 4, 3, [1, 2]
    assert load_params(path).model_dump() == before
    assert re.findall("#.*", path.read_text()) == re.findall("#.*", text)


def test_a_comment_after_a_replaced_list_stays(path: Path) -> None:
    path.write_text("seeds:\n- 0\n- 1 # last\n\n# of the next\nsplit:\n  test_persons:\n  - p00\n# end\n")
    use_preset(write_preset("seeds: [2]\nsplit: {test_persons: [p01]}"), path)
    assert path.read_text() == "seeds: [2] # last\n\n# of the next\nsplit:\n  test_persons: [p01]\n# end\n"


def test_nothing_but_the_values_is_rewritten() -> None:
    assert edited_yaml(SHIPPED, {}) == SHIPPED
    text = "a: \"1\" # one\nb: ~\nc: on\nd: 1e-3\ne: 1_000\nf: [1, 'x'] # two\n"
    assert edited_yaml(text, {("d",): 0.5}) == text.replace("1e-3", "0.5").replace("~", "null")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "train_gan: {stepz: 4}",
            ["mine.yaml:1: train_gan.stepz: unknown key", "did you mean 'steps'", "tick"],
        ),
        ("train_gan:\n  steps: -4", ["mine.yaml:2: train_gan.steps: ", "greater than or equal to 1"]),
        (
            "split: {validation_persons: [p03]}",
            ["params.yaml with mine.yaml:", "p03 in validation_persons and"],
        ),
        ("a: [", ["mine.yaml: not valid YAML"]),
    ],
)
def test_a_mistake_is_explained_and_the_file_stays(path: Path, text: str, expected: list[str]) -> None:
    own = SHIPPED.replace("[p12, p13, p14]", "[p03]")
    path.write_text(own)
    with pytest.raises(InputError) as error:
        use_preset(write_preset(text), path)
    for part in expected:
        assert part in str(error.value)
    assert path.read_text() == own
    assert sorted(each.name for each in Path().iterdir()) == ["mine.yaml", "params.yaml", "presets"]


def test_an_unknown_preset_is_answered_with_the_known_ones(path: Path) -> None:
    with pytest.raises(InputError, match="papier: no such preset; known in presets: paper"):
        app(["use-preset", "papier"], standalone_mode=False)


def test_a_file_with_a_key_twice_is_refused(path: Path) -> None:
    path.write_text("seeds: [0]\nseeds: [1]\n")
    with pytest.raises(InputError, match=r"params\.yaml: not valid YAML: found duplicate key \"seeds\""):
        use_preset("paper", path)
