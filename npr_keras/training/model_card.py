"""A model's card: what it was trained on, how, and what it did."""

from __future__ import annotations

import datetime

from npr_keras.detectors import get_method
from npr_keras.layers.representation import representation_text
from npr_keras.models.backbones.base import make_backbone
from npr_keras.profile import SIMULATED_NOTICE


def model_card(settings: dict, history: list[dict], unreadable: dict[str, str]) -> str:
    """Markdown for people; `config.json` and `history.csv` beside it are for programs.

    Args:
        settings: As in the run's `config.json`.
        history: One dict an epoch.
        unreadable: Dict from path to what was wrong.
    """
    decided = settings["settings"]
    source, training, detector = decided["source"], decided["training"], decided["detector"]
    layer = decided["representation"]
    representation = representation_text(layer["class_name"], layer["config"])
    method = get_method(decided.get("method", "npr"))
    features = method.fitted == "features"
    last = history[-1] if history else {}
    lines = [
        f"# {method.title} detector",
        "",
        "Detects generated images: one logit, generated above 0.",
        "",
        *([f"**{SIMULATED_NOTICE}**", ""] if decided.get("simulated") else []),
        "| | |",
        "|---|---|",
        f"| trained on | {source['real']:,} real and {source['fake']:,} generated images, "
        f"classes {', '.join(c or '(none)' for c in source['classes'])} |",
        f"| source | `{settings['source_path']}`, fingerprint `{source['fingerprint'][:16]}` |",
        f"| representation | {representation} |",
        f"| backbone | {make_backbone(**detector).describe()} |",
        f"| pixels when scoring | {decided['preprocessing']['name']} |",
        *(
            []
            if features
            else [
                f"| pixels in training | resize {training['resize']}, random crop {training['crop']}, "
                f"flip {training['flip']}{_degraded(training)} |",
                f"| recipe | Adam {training['learning_rate']:g}, batch {training['batch_size']}, "
                f"{_end(training)}, seed {training['seed']}, {training['precision']} |",
            ]
        ),
        *(["| recipe | logistic regression on features |"] if features else []),
        f"| method | {method.source} |",
        f"| backend | {decided['backend']} |",
        f"| finished | {datetime.date.today().isoformat()} |",
        f"| unreadable images | {len(unreadable)} |",
        "",
        "## Last epoch",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {value:.6g} |" for name, value in last.items()),
        "",
        "## What it cannot do",
        "",
        "JPEG compression, resizing and screenshots remove or imitate the traces that generators leave:",
        "a low score on such a picture says nothing until it was measured (`npr-keras robustness`). Face",
        "swaps pasted into a photograph are not detected. Evaluate it on data like yours",
        "(`npr-keras eval`) before relying on it.",
        "",
        "## Versions",
        "",
        "| package | version |",
        "|---|---|",
        *(f"| {name} | {version} |" for name, version in settings["versions"].items()),
        "",
    ]
    return "\n".join(lines)


def _end(training: dict) -> str:
    minutes = training.get("minutes")
    falls = ", cosine schedule" if training.get("schedule") == "cosine" else ""
    return f"{training['epochs']} epochs{falls}" + (f" or {minutes:g} minutes" if minutes else "")


def _degraded(training: dict) -> str:
    """What else is done to images in training, where anything is."""
    said = ""
    if training["blur"]:
        low, high = training["blur_sigma"]
        said += f", blur {training['blur']} (sigma {low:g} to {high:g})"
    if training["jpeg"]:
        low, high = training["jpeg_quality"]
        said += f", JPEG {training['jpeg']} (quality {low} to {high})"
    for name in ("webp", "noise", "rescale", "colour", "rotate", "cutout"):
        if training.get(name):
            said += f", {name} {training[name]}"
    return said + (", in pairs" if training.get("pairs") else "")
