"""Trains FP-GAN between the prepared eye sets."""

import numpy as np
from numpy.typing import NDArray

from fpgan.errors import InputError
from fpgan.evaluation import feature_preservation
from fpgan.eyes import load_eyes
from fpgan.layout import GENERATORS, LANDMARK_NET, PREPARED_REAL, PREPARED_SYNTHETIC, gaze_net
from fpgan.networks.gazenet import GazeNet
from fpgan.networks.hourglass import LandmarkNet
from fpgan.networks.inference import translate_pictures
from fpgan.networks.store import load_network, save_network
from fpgan.params import Params
from fpgan.pictures import tile
from fpgan.splits import split_real, split_synthetic
from fpgan.stages.stage import device, run_stage
from fpgan.training.gan import build_networks, train_gan

GRID_EYES = 10
WATCHED_EYES = 128


def train_gan_stage(params: Params) -> str:
    """Trains both generators; returns what it wrote, in words."""
    section = params.train_gan
    feature_gaze = gaze_net("synthetic")
    inputs = {
        "synthetic": PREPARED_SYNTHETIC,
        "real": PREPARED_REAL,
        "gaze_net": feature_gaze,
        "landmark_net": LANDMARK_NET,
    }
    with run_stage(
        "train-gan",
        params,
        sections={"train_gan": section, "split": params.split},
        inputs=inputs,
        output=GENERATORS["s2r"].parent,
        description=f"FP-GAN, {section.steps} steps of {section.batch_size} pairs.",
    ) as stage:
        synthetic, real = load_eyes(PREPARED_SYNTHETIC), load_eyes(PREPARED_REAL)
        if synthetic.image.shape[1:] != real.image.shape[1:]:
            raise InputError(
                f"{PREPARED_SYNTHETIC} holds pictures of {synthetic.image.shape[1:]}, {PREPARED_REAL} of "
                f"{real.image.shape[1:]}; prepare both with the same section 'eyes'"
            )
        split_s, split_r = (
            split_synthetic(len(synthetic), params.split),
            split_real(real.person, params.split),
        )
        every_real = section.real_eyes == "all_persons"
        real_rows = np.arange(len(real)) if every_real else split_r.training
        # Where nobody validates, training eyes are watched: the scores then say less about new persons.
        watched = {
            "s2r": spread(synthetic.image[split_s.validation]),
            "r2s": spread(real.image[split_r.validation if len(split_r.validation) else split_r.training]),
        }
        networks = build_networks(section, channels=real.channels)
        gaze, landmarks = load_network(feature_gaze, GazeNet), load_network(LANDMARK_NET, LandmarkNet)
        generators = {"s2r": networks.G, "r2s": networks.F}

        def watch(step: int) -> dict[str, float]:
            scores: dict[str, float] = {}
            for direction, generator in generators.items():
                pictures = watched[direction]
                translated = translate_pictures(generator, pictures)
                grid = tile([pictures[:GRID_EYES], translated[:GRID_EYES]])
                stage.run.picture(step, f"translations/{direction}", grid)
                kept = feature_preservation(pictures, translated, gaze, landmarks)
                scores |= {f"{direction}/{name}": value for name, value in kept._asdict().items()}
            return scores

        weights = sum(weight.numel() for weight in networks.G.parameters())
        print(
            f"{len(split_s.training)} synthetic and {len(real_rows)} real eyes; generators of "
            f"{weights / 1e6:.2f} M weights each; {section.steps} steps of {section.batch_size} pairs, "
            f"{section.steps * section.batch_size / len(real_rows):.1f} times through the real eyes"
        )
        history = train_gan(
            networks,
            synthetic=synthetic.image[split_s.training],
            real=real.image[real_rows],
            gaze_net=gaze,
            landmark_net=landmarks,
            watch=watch,
            params=section,
            checkpoints=stage.checkpoints,
            recorder=stage.run,
            device=device(),
        )
        arguments = {
            "channels": real.channels,
            "filters": section.generator.filters,
            "residual_blocks": section.generator.residual_blocks,
        }
        for direction, generator in generators.items():
            save_network(stage.output / GENERATORS[direction].name, generator, arguments)
        stage.history(history)
        scores = {name: value for name, value in history[-1].items() if name != "step"}
        stage.write_scores(scores)
    return (
        f"{GENERATORS['s2r'].parent}: after {section.steps} steps gaze drifts by "
        f"{scores['s2r/gaze_drift_degrees']:.1f} (s2r) and "
        f"{scores['r2s/gaze_drift_degrees']:.1f} (r2s) degrees"
    )


def spread(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Up to `WATCHED_EYES` of the pictures, in an order that spreads the first few over all of them."""
    order = np.random.default_rng(0).permutation(len(pictures))
    return pictures[order[:WATCHED_EYES]]
