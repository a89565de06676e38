"""What a training run leaves on disk, and how it goes on from there."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from pathlib import Path

from npr_keras.atomic import write_text
from npr_keras.config import TrainingConfig
from npr_keras.errors import RunError
from npr_keras.layers.representation import completed_config
from npr_keras.models import MODEL_FILE, load_detector, save_detector
from npr_keras.settings import differences

CONFIG_FILE = "config.json"
HISTORY_FILE = "history.csv"
CARD_FILE = "README.md"


class RunFolder:
    """The folder of one run: configuration, history, the last checkpoint, and the result.

    Everything in it is replaced atomically. The history is written before the checkpoint of its
    epoch, and rows beyond the checkpoint are dropped on resuming, so a kill between any two
    writes costs at most one epoch.

    Args:
        path: The folder; made when the run begins.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.model = self.path / MODEL_FILE

    def begin(self, settings: dict, resume: bool) -> int:
        """Starts a run, or goes on with the one that is there.

        Args:
            settings: JSON values. What decides the result is under "settings" and has to stay on
                resuming, but for the number of epochs, which may grow, and the limit of unreadable
                images.
            resume: Whether to go on where a run is there already.

        Returns:
            The number of epochs that are done.

        Raises:
            RunError: If a run is there and `resume` is False, or its settings are others.
        """
        stored = self.read_config()
        if stored is None or not (self.last_epoch() or self.model.exists()):
            if self.model.exists():
                raise RunError(
                    f"{self.path} already holds a model that was not trained there. "
                    "Choose another --name or --out."
                )
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.path / CONFIG_FILE, json.dumps(settings, indent=2) + "\n")
            self._write_history([])  # an epoch that was killed before its checkpoint counts nothing
            return 0
        if not resume:
            raise RunError(
                f"{self.path} already holds a training run. Go on with it by --resume, "
                "choose another --name or --out, or remove the folder."
            )
        now = settings["settings"]
        free = {"training.max_unreadable"}
        if (
            now["training"]["schedule"] == "step"
        ):  # the other one's step sizes depend on their number
            free.add("training.epochs")
        changed = [
            one
            for one in differences(_completed(stored["settings"], now), now)
            if one[0] not in free
        ]
        if changed:
            raise RunError(
                f"{self.path} was begun with other settings, so resuming would mix two runs:\n"
                + "\n".join(f"  {name}: was {was!r}, now {now!r}" for name, was, now in changed)
                + "\nUse the old settings, or another --name."
            )
        done = self.last_epoch()
        epochs = settings["settings"]["training"]["epochs"]
        if done > epochs:
            raise RunError(f"{self.path} has done {done} epochs, more than the {epochs} asked for.")
        if len(self.history()) < done:
            raise RunError(
                f"{self.path / HISTORY_FILE} has {len(self.history())} epochs, the checkpoint {done}: "
                "the history was changed or removed. Choose another --name."
            )
        # What else was stored describes how the run began, and stays.
        stored["settings"] = settings["settings"]
        write_text(self.path / CONFIG_FILE, json.dumps(stored, indent=2) + "\n")
        self._write_history(self.history()[:done])
        return done

    def read_config(self) -> dict | None:
        """What the run was begun with; None where no run is there."""
        file = self.path / CONFIG_FILE
        if not file.exists():
            return None
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            stored["settings"]["training"]["epochs"]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{file} is not the configuration of a training run: {error!r}"
            ) from error
        return stored

    def _checkpoint(self, epoch: int) -> Path:
        return self.path / "checkpoints" / f"{epoch:04d}.keras"

    def last_epoch(self) -> int:
        """How many epochs the newest checkpoint has behind it; 0 where there is none."""
        names = [p.stem for p in self._checkpoint(0).parent.glob("[0-9]*.keras")]
        return max((int(name) for name in names if name.isdigit()), default=0)

    def load_checkpoint(self):
        """The newest checkpoint as a compiled detector."""
        return load_detector(self._checkpoint(self.last_epoch()), compile=True)

    def save_epoch(self, detector, row: dict) -> None:
        """Keeps an epoch: its row of the history, then its checkpoint; the one before goes.

        Args:
            detector: Compiled, with its optimizer's state.
            row: Figures of the epoch, `row["epoch"]` counted from 1.
        """
        epoch = row["epoch"]
        self._write_history([*self.history()[: epoch - 1], row])
        checkpoint = self._checkpoint(epoch)
        checkpoint.parent.mkdir(exist_ok=True)
        save_detector(detector, checkpoint, optimizer=True)
        # Also what a killed process left: older checkpoints, and temporary files.
        for file in checkpoint.parent.iterdir():
            if file != checkpoint and file.suffix == ".keras":
                file.unlink()

    def features(self, settings: dict) -> Path:
        """Where features of images are kept until a fit is done.

        Those of other settings would be others, and a run without an epoch may change its settings.
        """
        described = hashlib.sha256(json.dumps(settings["settings"]).encode()).hexdigest()
        return self.path / f"features-{described[:12]}"

    def finish(self, detector, card: str) -> None:
        """Writes the model, without its optimizer, and its card; features are not needed any more."""
        save_detector(detector, self.model)
        for folder in self.path.glob("features-*"):
            shutil.rmtree(folder, ignore_errors=True)
        write_text(self.path / CARD_FILE, card)

    def is_finished(self) -> bool:
        """Whether all that `finish` leaves is there, and nothing that it takes away."""
        return (
            self.model.exists()
            and (self.path / CARD_FILE).exists()
            and not list(self.path.glob("features-*"))
        )

    def history(self) -> list[dict]:
        """One dict an epoch, numbers as numbers."""
        file = self.path / HISTORY_FILE
        if not file.exists():
            return []
        with open(file, encoding="utf-8", newline="") as lines:
            return [
                {k: int(v) if k == "epoch" else float(v) for k, v in row.items() if v}
                for row in csv.DictReader(lines)
            ]

    def trained_seconds(self) -> float:
        """Of training so far, where there is a limit of it."""
        rows = self.history()
        return rows[-1].get("trained_seconds", 0.0) if rows else 0.0

    def is_over(self, minutes: float | None) -> bool:
        """Whether a run has used up the minutes that it has; without such a limit never."""
        return minutes is not None and self.trained_seconds() >= 60 * minutes

    def _write_history(self, rows):
        text = io.StringIO()
        writer = csv.DictWriter(
            text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / HISTORY_FILE, text.getvalue())


def _completed(settings: dict, new: dict) -> dict:
    """Stored settings with what has been added since, which then was what it is by default.

    Args:
        settings: Of the run that is there.
        new: Of the one that resumes it.
    """
    layer = settings["representation"]
    layer = {**layer, "config": completed_config(layer["class_name"], layer["config"])}
    training = TrainingConfig.from_dict(settings["training"]).to_dict()
    detector = {"backbone": "resnet", **settings["detector"]}  # 0.1 knew no other
    pixels = detector.pop("preprocessing", settings.get("preprocessing"))  # 0.1 kept it there
    for measured in ("calibration", "robustness"):
        detector.pop(measured, None)
    completed = {"training": training, "representation": layer, "detector": detector}
    completed["method"] = settings.get("method", "npr")  # 0.1 knew no other
    completed["simulated"] = settings.get(
        "simulated", new.get("simulated", False)
    )  # 0.1 did not say
    return json.loads(json.dumps({**settings, **completed, "preprocessing": pixels}))
