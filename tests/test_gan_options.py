"""The effect of each option of the GAN's training."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, draw_eyes
from discs import disc_features
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fpgan.data.eyes import Eyes
from fpgan.data.pictures import bytes_to_input
from fpgan.networks.eye_network import EyeNetwork
from fpgan.networks.frozen import frozen
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import estimate_gaze, find_landmarks, translate_pictures
from fpgan.params import DiscriminatorParams, GANWeights, GeneratorParams, TrainGAN
from fpgan.training.averaging import average_decay, averaged_copy, update_average
from fpgan.training.checkpoint import Checkpoints
from fpgan.training.collapse import collapses
from fpgan.training.distributed import Processes
from fpgan.training.gan import TASK_METRIC, GANTraining, TrainingEyes, Watcher, train_gan
from fpgan.training.loop import History, run_training
from fpgan.training.objective import Generators, build_networks, generator_losses
from fpgan.training.precision import Precision, choose_precision, computing_in
from fpgan.training.recorder import Silent
from fpgan.training.schedule import Schedule, one_cycle, schedule_factor

CPU = torch.device("cpu")
SYNTHETIC, REAL = draw_eyes(30, seed=0), draw_eyes(26, seed=1, ground=110, disc=20)


def weights(**terms: float) -> GANWeights:
    """Weights that are 0 except for these terms."""
    return GANWeights(**{"cycle_synthetic": 0, "cycle_real": 0} | terms)


def options(**changes: Any) -> TrainGAN:
    settings: dict[str, Any] = {
        "steps": 20,
        "batch_size": 4,
        "learning_rate": 2e-3,
        "pool_size": 6,
        "generator": GeneratorParams(filters=4, residual_blocks=1),
        "discriminator": DiscriminatorParams(filters=4, layers=2),
        "weights": weights(cycle_synthetic=10, cycle_real=10),
        "tick": 2,
    }
    return TrainGAN(**settings | changes)


def random_features() -> dict[str, EyeNetwork]:
    torch.manual_seed(1)
    gaze_net, landmark_net = GazeNet(1, HEIGHT, WIDTH, "residual"), LandmarkNet(1, 1, 8)
    return {"gaze": frozen(gaze_net), "landmarks": frozen(landmark_net)}


def begin(
    params: TrainGAN,
    *,
    features: Mapping[str, nn.Module] | None = None,
    synthetic: Eyes = SYNTHETIC,
    real: Eyes = REAL,
    watch: Watcher = lambda step, generators: {},
    precision: Precision = "fp32",
) -> GANTraining:
    return GANTraining(
        build_networks(params, synthetic.channels, seed=0),
        TrainingEyes(synthetic.image, real.image, synthetic.landmarks),
        features or disc_features(),
        watch,
        params,
        seed=0,
        precision=precision,
        capture=False,
        processes=Processes(CPU),
    )


def copied(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def assert_weights(network: nn.Module, expected: dict[str, Tensor]) -> None:
    torch.testing.assert_close(network.state_dict(), expected, rtol=0, atol=0)


# Loss terms


def test_loss_terms_have_the_values_and_gradients_of_their_formulas() -> None:
    params = options(
        weights=weights(cycle_synthetic=1, cycle_real=2, identity=3, self_regularization=4), real_label=0.8
    )
    networks = begin(params).networks
    s, r = bytes_to_input(torch.from_numpy(SYNTHETIC.image[:4, None])), torch.rand(4, 1, HEIGHT, WIDTH)
    terms, fake_r, fake_s = generator_losses(networks, s, r, networks.D_R, networks.D_S, params)
    assert torch.equal(fake_r, networks.G(s))
    assert torch.equal(fake_s, networks.F(r))
    expected = {
        "G": (1, (networks.D_R(fake_r) - 0.8).square()),
        "F": (1, (networks.D_S(fake_s) - 0.8).square()),
        "cycle_synthetic": (1, (networks.F(fake_r) - s).abs()),
        "cycle_real": (2, (networks.G(fake_s) - r).abs()),
        "identity_G": (3, (networks.G(r) - r).abs()),
        "identity_F": (3, (networks.F(s) - s).abs()),
        "self_regularization_s2r": (4, (fake_r - s).abs()),
        "self_regularization_r2s": (4, (fake_s - r).abs()),
    }
    assert terms.keys() == expected.keys()
    for name, (weight, value) in expected.items():
        assert terms[name][0] == weight
        torch.testing.assert_close(terms[name][1], value.mean())
        for generator in (networks.G, networks.F):  # each generator in a term learns from it
            first = next(generator.parameters())
            found, wanted = (
                torch.autograd.grad(term, first, retain_graph=True, allow_unused=True)[0]
                for term in (terms[name][1], value.mean())
            )
            torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("weight", "terms"),
    [
        ("cycle_synthetic", {"cycle_synthetic"}),
        ("cycle_real", {"cycle_real"}),
        ("self_regularization", {"self_regularization_s2r", "self_regularization_r2s"}),
        ("identity", {"identity_G", "identity_F"}),
        ("gaze", {"gaze_s2r", "gaze_r2s"}),
        ("landmarks", {"landmarks_s2r", "landmarks_r2s"}),
    ],
)
def test_a_term_alone_is_added_to_the_adversarial_ones(weight: str, terms: set[str]) -> None:
    scalars = begin(options(weights=weights(**{weight: 1}))).step(0)
    found = {name.removeprefix("loss/") for name in scalars if name.startswith("loss/")}
    assert found == terms | {"G", "F", "D_R", "D_S"}


def fit(params: TrainGAN) -> GANTraining:
    training = begin(params)
    for step in range(params.steps):
        training.step(step)
    return training


@torch.no_grad()
def changes(training: GANTraining) -> dict[str, float]:
    """How much the properties preserved by each term have changed, over all training eyes."""
    g, f = training.networks.G, training.networks.F
    s, r = bytes_to_input(training.synthetic), bytes_to_input(training.real)
    eye_s, eye_r = (training.features["landmarks"](eyes) for eyes in (s, r))

    def apart(*pairs: tuple[Tensor, Tensor]) -> float:
        return sum((one - other).abs().mean().item() for one, other in pairs)

    eyes = apart((training.features["landmarks"](g(s)), eye_s), (training.features["landmarks"](f(r)), eye_r))
    return {
        "cycle_synthetic": apart((f(g(s)), s)),
        "cycle_real": apart((g(f(r)), r)),
        "self_regularization": apart((g(s), s), (f(r), r)),
        "identity": apart((g(r), r), (f(s), s)),
        "gaze": eyes,
        "landmarks": eyes,
    }


@pytest.fixture(scope="module")
def without_terms() -> dict[str, float]:
    torch.set_num_threads(1)
    return changes(fit(options(steps=50, weights=weights())))


@pytest.mark.parametrize(
    ("term", "weight"),
    [
        ("cycle_synthetic", 10),
        ("cycle_real", 10),
        ("self_regularization", 10),
        ("identity", 10),
        ("gaze", 100),
        ("landmarks", 1000),
    ],
)
def test_training_with_a_term_preserves_its_property(
    term: str, weight: float, without_terms: dict[str, float]
) -> None:
    with_term = changes(fit(options(steps=50, weights=weights(**{term: weight}))))
    assert with_term[term] < without_terms[term] / 2


# Targets of the feature networks


def test_targets_computed_once_are_the_networks_answers_to_each_picture() -> None:
    features = random_features()
    training = begin(options(weights=weights(gaze=1, landmarks=1)), features=features)
    for targets, eyes in ((training.targets_s, SYNTHETIC), (training.targets_r, REAL)):
        for i in range(len(eyes)):
            one = eyes.image[i : i + 1]
            gaze = estimate_gaze(features["gaze"], one)
            landmarks = find_landmarks(features["landmarks"], one)
            np.testing.assert_allclose(targets["gaze"][i], gaze[0], atol=1e-5)
            np.testing.assert_allclose(targets["landmarks"][i], landmarks[0], atol=1e-4)
        assert targets["gaze"].std(0).min() > 1e-4  # targets differ between pictures


def test_a_short_training_finds_the_targets_of_the_pictures_it_draws() -> None:
    params = options(steps=3, weights=weights(gaze=1))
    training = begin(params)
    drawn = torch.cat([training.inputs(step)["rows_r"] for step in range(3)])
    assert len(drawn) < len(REAL)
    np.testing.assert_allclose(training.targets_r["gaze"][drawn], REAL.gaze[drawn], atol=0.05)


def test_translations_follow_the_true_landmarks_if_labels_are_the_target() -> None:
    moved = Eyes(**vars(SYNTHETIC) | {"landmarks": SYNTHETIC.landmarks + np.array([3, 0], np.float32)})
    params = options(steps=50, weights=weights(landmarks=1000), landmark_target="label")
    training = begin(params, synthetic=moved)
    assert torch.equal(training.targets_s["landmarks"], torch.from_numpy(moved.landmarks))
    for step in range(params.steps):
        training.step(step)
    with torch.no_grad():
        s, r = bytes_to_input(training.synthetic), bytes_to_input(training.real)
        see = training.features["landmarks"]
        by_g = (see(training.networks.G(s)) - see(s)).mean((0, 1))
        by_f = (see(training.networks.F(r)) - see(r)).mean((0, 1))
    torch.testing.assert_close(by_g, torch.tensor([3.0, 0]), rtol=0, atol=1)
    # Real eyes have no true landmarks: those found in the source are the target.
    torch.testing.assert_close(by_f, torch.zeros(2), rtol=0, atol=1)


def test_unknown_true_landmarks_do_not_count_and_keep_the_losses_finite() -> None:
    some = SYNTHETIC.landmarks.copy()
    some[::2, 4:] = np.nan
    for landmarks, known in ((np.full_like(some, np.nan), False), (some, True)):
        eyes = Eyes(**vars(SYNTHETIC) | {"landmarks": landmarks})
        training = begin(options(weights=weights(landmarks=10), landmark_target="label"), synthetic=eyes)
        for step in range(3):
            scalars = training.step(step)
            assert (scalars["loss/landmarks_s2r"] > 0) == known
            assert scalars["loss/landmarks_r2s"] > 0
            assert all(value.isfinite() for value in scalars.values())


# Networks, pictures and losses


@pytest.mark.parametrize(("height", "width", "channels"), [(16, 16, 1), (16, 64, 3), (20, 32, 3)])
@pytest.mark.parametrize("kind", ["instance", "batch", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_grey_and_colour_eyes_of_every_size_train(
    height: int, width: int, channels: int, kind: str, upsampling: str
) -> None:
    random = np.random.default_rng(0)

    def eyes(count: int) -> Eyes:
        shape = (count, height, width, 3)[: 4 if channels == 3 else 3]
        return Eyes(
            random.integers(0, 256, shape, dtype=np.uint8),
            np.zeros((count, 2), np.float32),
            np.zeros((count, 2), np.float32),
            np.zeros((count, 18, 2), np.float32),
            np.array(["p00"] * count),
        )

    params = options(
        batch_size=1,
        generator={"filters": 4, "residual_blocks": 1, "normalization": kind, "upsampling": upsampling},
        discriminator={"filters": 4, "layers": 4, "normalization": kind},
        weights=GANWeights(identity=1, self_regularization=1, landmarks=1),
    )
    training = begin(params, synthetic=eyes(3), real=eyes(3))
    before = {name: copied(network) for name, network in training.networks.all().items()}
    for step in range(2):
        assert all(value.isfinite() for value in training.step(step).values())
    for name, network in training.networks.all().items():
        first = next(iter(before[name]))
        assert not torch.equal(network.state_dict()[first], before[name][first])
    images = eyes(2).image
    assert translate_pictures(training.kept().G, images).shape == images.shape


@pytest.mark.parametrize("kind", ["batch", "none"])
def test_the_other_options_learn_the_other_domain_too(kind: str) -> None:
    params = options(
        steps=100,
        adversarial_loss="cross_entropy",
        schedule="cosine",
        generator={"filters": 8, "residual_blocks": 1, "normalization": kind, "upsampling": "resize"},
        discriminator={"filters": 8, "layers": 2, "normalization": kind},
    )
    training = fit(params)
    source = draw_eyes(40, seed=9).image
    translated = translate_pictures(training.kept().G, source)
    # The background is 110 in the real domain and 200 in the synthetic one.
    assert abs(np.median(translated) - 110) < 45
    assert translated.std() > 8  # the discs are there


def test_each_pool_holds_the_translations_its_discriminator_was_shown() -> None:
    training = begin(options(pool_size=8))
    for step in range(2):  # two batches fill the pool
        rows = training.inputs(step)
        with torch.no_grad():
            g, f = training.networks.G, training.networks.F
            fake_r = g(bytes_to_input(training.synthetic[rows["rows_s"]]))
            fake_s = f(bytes_to_input(training.real[rows["rows_r"]]))
        training.step(step)
        here = slice(4 * step, 4 * step + 4)
        torch.testing.assert_close(training.pool_r.pictures[here], fake_r)
        torch.testing.assert_close(training.pool_s.pictures[here], fake_s)


@pytest.mark.parametrize("size", [0, 8])
def test_a_discriminator_is_shown_earlier_translations_from_a_pool_only(size: int) -> None:
    training = begin(options(pool_size=size))
    shown: list[Tensor] = []
    training.networks.D_R.register_forward_hook(lambda _, inputs, output: shown.append(inputs[0].detach()))
    translated: list[Tensor] = []
    earlier = 0
    for step in range(8):
        shown.clear()
        training.step(step)
        now, _, judged = shown  # translations, real eyes, and the pool's pictures
        assert len(judged) == 4
        kept = (judged[:, None] == now[None]).flatten(2).all(2).any(1)
        earlier += int((~kept).sum())
        before = torch.cat([*translated, now])
        assert (judged[:, None] == before[None]).flatten(2).all(2).any(1).all()
        translated.append(now)
    assert (earlier > 0) == (size > 0)


# Learning rates


@given(kind=st.sampled_from(["constant_linear", "cosine"]), steps=st.integers(1, 300))
def test_schedules_start_at_the_highest_rate_and_fall_to_zero(kind: Schedule, steps: int) -> None:
    factors = [schedule_factor(kind, step, steps) for step in range(steps + 1)]
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(factors) <= 0).all()


def test_the_cosine_falls_from_the_start_and_fastest_in_the_middle() -> None:
    factors = [schedule_factor("cosine", step, 4) for step in range(5)]
    assert factors == pytest.approx([1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4, 0])


@given(st.integers(2, 300))
def test_one_cycle_rises_for_a_tenth_of_the_steps_and_falls_for_the_rest(steps: int) -> None:
    factors = [one_cycle(step, steps) for step in range(steps + 1)]
    peak = max(1, round(steps / 10)) - 1
    assert factors[peak] == 1
    np.testing.assert_allclose(np.diff(factors[: peak + 1]), 1 / (peak + 1))
    assert (np.diff(factors[peak + 1 :]) < 0).all()
    assert min(factors[:-1]) > 0
    assert factors[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", ["constant_linear", "cosine"])
def test_a_step_is_taken_at_the_scheduled_rate(kind: Schedule) -> None:
    params = options(steps=8, learning_rate=1e-3, schedule=kind)
    training = begin(params)
    for step in range(8):
        training.step(step)
        rates = {group["lr"] for optimizer in training.optimizers for group in optimizer.param_groups}
        assert rates == {1e-3 * schedule_factor(kind, step, 8)}


# Moving average


def test_the_moving_average_is_the_sum_of_its_closed_form() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = averaged_copy(network)
    assert not any(weight.requires_grad for weight in average.parameters())
    sequence = [copied(network)]
    for _ in range(6):
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(torch.randn_like(weight))
        network(torch.randn(2, 1, 5, 5))  # changes the batch statistics
        sequence.append(copied(network))
        update_average(average, network, torch.tensor(0.7))
    for name, weight in average.named_parameters():
        expected = 0.7**6 * sequence[0][name]
        for t, one in enumerate(sequence[1:]):
            expected += 0.3 * 0.7 ** (5 - t) * one[name]
        torch.testing.assert_close(weight.detach(), expected)
    for name, value in average.named_buffers():
        assert torch.equal(value, sequence[-1][name])
        assert not torch.equal(value, sequence[0][name])


def test_the_average_quickly_forgets_the_initial_weights() -> None:
    decays = [average_decay(0.999, step) for step in range(20_000)]
    assert np.prod(decays[:10]) < 1e-4
    assert (np.diff(decays) >= 0).all()
    assert decays[-1] == 0.999
    assert average_decay(0.05, 0) == 0.05


@pytest.mark.parametrize("kind", ["instance", "batch"])
def test_the_averaged_generators_are_watched_and_kept(kind: str) -> None:
    watched: list[Generators] = []

    def watch(step: int, generators: Generators) -> dict[str, float]:
        watched.append(generators)
        return {}

    params = options(average_decay=0.6, generator={"filters": 4, "residual_blocks": 1, "normalization": kind})
    training = begin(params, watch=watch)
    expected = {name: copied(getattr(training.networks, name)) for name in "GF"}
    for step in range(6):
        training.step(step)
        decay = average_decay(0.6, step)
        for name in "GF":
            for key, weight in getattr(training.networks, name).named_parameters():
                expected[name][key].lerp_(weight.detach(), 1 - decay)
            for key, value in getattr(training.networks, name).named_buffers():
                expected[name][key] = value.clone()
    training.watch(6)
    for generators in (watched[0], training.kept()):
        for name in "GF":
            found = getattr(generators, name)
            torch.testing.assert_close(found.state_dict(), expected[name])
            assert not found.training
    assert not torch.equal(next(training.kept().G.parameters()), next(training.networks.G.parameters()))


def test_without_an_average_the_trained_generators_are_watched_and_kept() -> None:
    watched: list[Generators] = []

    def watch(step: int, generators: Generators) -> dict[str, float]:
        watched.append(generators)
        return {}

    training = begin(options(average_decay=0), watch=watch)
    training.step(0)
    training.watch(1)
    for generators in (watched[0], training.kept()):
        assert (generators.G, generators.F) == (training.networks.G, training.networks.F)


# Which generators are kept


@pytest.mark.parametrize("decay", [0, 0.6])
@pytest.mark.parametrize(
    ("keep", "scores", "kept"),
    [
        ("best", [1, 9, 5, 7, 5], 2),  # the initial generators are never kept; of equal scores the first is
        ("best", [1, 9, 5, 7, 3], 4),
        ("best", None, 4),
        ("last", [1, 9, 5, 7, 8], 4),
    ],
)
def test_the_kept_generators_are_chosen_by_params(
    tmp_path: Path, keep: str, scores: list[float] | None, kept: int, decay: float
) -> None:
    params = options(steps=8, tick=2, keep=keep, average_decay=decay)
    seen: list[dict[str, dict[str, Tensor]]] = []

    def watch(step: int, generators: Generators) -> dict[str, float]:
        seen.append({name: copied(getattr(generators, name)) for name in "GF"})
        return {TASK_METRIC: float(scores[step // 2])} if scores else {}

    generators, history = train_gan(
        build_networks(params, 1, seed=0),
        eyes=TrainingEyes(SYNTHETIC.image, REAL.image, SYNTHETIC.landmarks),
        features=disc_features(),
        watch=watch,
        params=params,
        seed=0,
        precision="fp32",
        capture=False,
        checkpoints=Checkpoints(tmp_path),
        recorder=Silent(),
        processes=Processes(CPU),
    )
    assert [row["step"] for row in history] == [2, 4, 6, 8]
    for name in "GF":
        assert_weights(getattr(generators, name), seen[kept][name])
        assert not getattr(generators, name).training
    assert not torch.equal(next(iter(seen[3]["G"].values())), next(iter(seen[4]["G"].values())))


# Precision


@pytest.mark.parametrize("kind", ["instance", "batch", "none"])
def test_a_step_in_bf16_is_close_to_one_in_fp32(kind: str) -> None:
    params = options(
        generator={"filters": 8, "residual_blocks": 2, "normalization": kind},
        discriminator={"filters": 8, "layers": 3, "normalization": kind},
        weights=GANWeights(gaze=1, landmarks=1, identity=1, self_regularization=1),
    )
    full, mixed = (begin(params, precision=precision) for precision in ("fp32", "bf16"))
    expected, found = full.step(0), mixed.step(0)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert found[name].item() == pytest.approx(value.item(), rel=0.05, abs=2e-3), name
    assert any(
        found[name] != value for name, value in expected.items()
    )  # it was computed in another precision
    for optimizer in mixed.optimizers:
        for state in optimizer.state.values():
            assert {state["exp_avg"].dtype, state["exp_avg_sq"].dtype} == {torch.float32}
    picture = bytes_to_input(mixed.synthetic[:2])
    for network in mixed.networks.all().values():
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}
        with computing_in("bf16", CPU):
            assert network(picture).dtype == torch.float32


def test_precision_is_the_requested_one_or_chosen_by_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_precision("fp32", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("auto", CPU) in ("fp32", "bf16")
    for has_tiles, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has_tiles=has_tiles: has_tiles)
        assert choose_precision("auto", CPU) == expected


# Collapse

HEALTHY = {
    **{f"D_{domain}/real": 0.6 for domain in "RS"},
    **{f"D_{domain}/fake": 0.3 for domain in "RS"},
    **{f"{direction}/unchanged_share": 0.05 for direction in ("s2r", "r2s")},
    **{f"{direction}/diversity": 0.9 for direction in ("s2r", "r2s")},
}


def test_a_row_that_is_healthy_or_without_scores_shows_no_collapse() -> None:
    assert collapses(HEALTHY, 0.9) == collapses({}, 0.9) == collapses({"loss/G": 3.0}, 0.9) == {}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"D_R/real": 0.89, "D_R/fake": 0.02}, ["D_R", "translations of G", "discriminator.layers"]),
        ({"D_S/real": 0.89, "D_S/fake": 0.02}, ["D_S", "translations of F", "discriminator.layers"]),
        ({"s2r/unchanged_share": 0.97}, ["s2r", "changes almost nothing", "lower the weights"]),
        ({"r2s/unchanged_share": 0.97}, ["r2s", "changes almost nothing", "lower the weights"]),
        ({"s2r/diversity": 0.05}, ["s2r", "look alike", "learning_rate"]),
        ({"r2s/diversity": 0.05}, ["r2s", "look alike", "learning_rate"]),
    ],
)
def test_a_collapse_is_reported_with_a_remedy(row: dict[str, float], words: list[str]) -> None:
    (problem,) = collapses(HEALTHY | row, 0.9).values()
    for word in words:
        assert word in problem


class Scripted:
    """A training whose discriminator leads by given values, one per step."""

    def __init__(self, leads: list[float]) -> None:
        self.leads = leads

    def step(self, step: int) -> dict[str, Tensor]:
        return {"D_R/real": torch.tensor(self.leads[step]), "D_R/fake": torch.tensor(0.0)}

    def watch(self, number: int) -> dict[str, float]:
        return {}

    def collapses(self, row: dict[str, float]) -> dict[str, str]:
        return collapses(row, 0.9)

    def ended_early(self, history: History) -> bool:
        return False

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class Killed(Exception):
    pass


class Warned(Silent):
    """Keeps the steps of warnings; can end the process at a step."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.killed_at = killed_at
        self.at: list[int] = []

    def metrics(self, step: int, values: dict[str, float]) -> None:
        if step == self.killed_at:
            raise Killed

    def warn(self, step: int, message: str) -> None:
        self.at.append(step)


def test_a_warning_of_a_collapse_comes_at_its_onset_and_is_not_repeated_after_resuming(
    tmp_path: Path,
) -> None:
    leads = [0.1, 0.8, 0.85, 0.8, 0.2, 0.1, 0.9, 0.9]

    def run(folder: str, recorder: Warned) -> None:
        run_training(
            Scripted(leads),
            steps=len(leads),
            steps_per_tick=1,
            tick="step",
            checkpoint_every=1,
            batch_size=1,
            batch_of="pairs",
            checkpoints=Checkpoints(tmp_path / folder),
            recorder=recorder,
            processes=Processes(CPU),
        )

    uninterrupted, killed, resumed = Warned(), Warned(killed_at=4), Warned()
    run("uninterrupted", uninterrupted)
    assert uninterrupted.at == [2, 7]
    with pytest.raises(Killed):
        run("killed", killed)
    run("killed", resumed)
    assert (killed.at, resumed.at) == ([2], [7])
