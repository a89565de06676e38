"""Training as a person watches it: what is about to happen, a line an epoch, what came out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from npr_keras.config import PROTOCOLS, TrainingConfig
from npr_keras_cli.backend import import_tensorflow_quietly
from npr_keras_cli.console import progress_bar, say, say_command, warn_left_out, warn_skipped


def run_training(options: dict) -> dict:
    """Runs `npr-keras train` with its parsed options; returns what --json prints."""
    from npr_keras.data.folder import find_source
    from npr_keras.data.walk import Skipped

    skipped = Skipped()
    source = find_source(source_folder(options), options["classes"], options["names"], skipped)
    warn_skipped(skipped)
    config = TrainingConfig(
        epochs=options["epochs"],
        batch_size=options["batch_size"],
        learning_rate=options["lr"],
        decay=options["decay"],
        decay_every=options["decay_every"],
        resize=options["resize"],
        crop=options["crop"],
        flip=options["flip"],
        blur=options["blur"],
        jpeg=options["jpeg"],
        seed=options["seed"],
        precision=options["precision"],
        max_unreadable=options["max_unreadable"],
    )
    out = Path(options["out"], options["name"] or _default_name(options))
    say(_opening(source, config, options["backend"], out))

    import_tensorflow_quietly()
    from npr_keras.training import train

    callbacks = [_watcher(config)]
    if options["tensorboard"]:
        callbacks.append(_tensorboard(out))
    try:
        result = train(
            source,
            config,
            preprocessing=PROTOCOLS.get(options["protocol"]),
            out=out,
            resume=options["resume"],
            pipeline=options["pipeline"],
            callbacks=callbacks,
        )
    except KeyboardInterrupt:
        again = shlex.join(["npr-keras", *(a for a in sys.argv[1:] if a != "--resume"), "--resume"])
        say("\nInterrupted. Finished epochs are kept; resume with:")
        say_command(f"  {again}")
        raise SystemExit(1) from None
    finally:
        callbacks[0].close()
    warn_left_out(result.unreadable)
    judged = "--suite simulated" if options["source"] == "simulated" else "--data DIR"
    say(f"\nDone: {out / 'model.keras'}\nEvaluate it with:")
    say_command(f"  npr-keras eval --model {out} {judged}")
    return {
        "model": str(out / "model.keras"),
        "epochs": len(result.history),
        "last": result.history[-1],
        "unreadable": result.unreadable,
    }


def source_folder(options) -> Path:
    from npr_keras.data.sources import SIMULATED, locate_source

    if options["source"] == SIMULATED and not Path(SIMULATED).is_dir():
        from npr_keras_cli.simulation_view import made_simulated

        return made_simulated("source")[0]
    return locate_source(options["source"], options["data_root"])


def _default_name(options) -> str:
    parts = ["npr", Path(options["source"]).resolve().name, *options["classes"]]
    return "-".join(parts).replace("/", "-")


def _opening(source, config, backend, out) -> str:
    from npr_keras.data.records import count_labels

    real, fake = count_labels(source.train)
    val = " + ".join(f"{n:,}" for n in count_labels(source.val)) if source.val else "none"
    classes = ", ".join(c or "(no classes)" for c in source.classes[:8])
    if len(source.classes) > 8:
        classes += f" and {len(source.classes) - 8} more"
    return (
        f"Source   {source.root}: {classes}\n"
        f"Images   {real:,} real + {fake:,} generated to train on; {val} to validate\n"
        f"Recipe   Adam {config.learning_rate:g}, batch {config.batch_size}, {config.epochs} epochs, "
        f"seed {config.seed}, {config.precision}\n"
        f"Backend  {backend}\n"
        f"Run      {out}\n"
    )


def _tensorboard(out):
    import importlib.util

    import keras

    from npr_keras.errors import MissingPackageError

    if not all(importlib.util.find_spec(name) for name in ("tensorboard", "tensorflow")):
        raise MissingPackageError(
            "--tensorboard needs TensorFlow and TensorBoard, on every backend. "
            'pip install tensorflow "npr-keras[tensorboard]"'
        )
    return keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False)


def _watcher(config):
    import keras

    class Watcher(keras.callbacks.Callback):
        """A bar for the epoch under way, and a line for each that is done."""

        def on_train_begin(self, logs=None):
            say("  epoch        lr    loss     acc  val acc   val AP   img/s    time")
            self.bar = progress_bar()
            self.bar.start()
            self.task = self.bar.add_task("", total=None, note="")

        def on_epoch_begin(self, epoch, logs=None):
            self.bar.reset(
                self.task,
                total=self.params["steps"],
                description=f"epoch {epoch + 1}/{config.epochs}",
                note="",
            )

        def on_train_batch_end(self, batch, logs=None):
            note = f"loss {logs['loss']:.3f} acc {logs['accuracy']:.1%}" if logs else ""
            task = self.bar.tasks[0]
            speed = f" {task.speed * config.batch_size:.0f}/s" if task.speed else ""
            if batch + 1 == self.params["steps"]:
                speed = " validating"
            self.bar.update(self.task, advance=1, note=note + speed)

        def on_epoch_end(self, epoch, logs=None):
            say(_epoch_line(logs, config.epochs))

        def on_train_end(self, logs=None):
            self.close()

        def close(self):
            if hasattr(self, "bar"):
                self.bar.stop()

    return Watcher()


def _epoch_line(row, epochs) -> str:
    def percent(name):
        return f"{100 * row[name]:.1f}" if name in row and row[name] == row[name] else "–"

    minutes, seconds = divmod(round(row["seconds"]), 60)
    return (
        f"{row['epoch']:>3}/{epochs:<3}  {row['learning_rate']:.2e}  {row['loss']:.4f}  "
        f"{percent('accuracy'):>6}  {percent('val_accuracy'):>7}  "
        f"{percent('val_average_precision'):>7}  {row['images_per_second']:>6.1f}  "
        f"{minutes:>3}:{seconds:02}"
    )
