"""Training as a person watches it: what is about to happen, a line an epoch, what came out."""

from __future__ import annotations

from npr_keras.packages import require
from npr_keras_cli.console import progress_bar, say


def opening(source, config, backend, out, fitted: str) -> str:
    """What is about to happen."""
    from npr_keras.data.records import count_labels

    real, fake = count_labels(source.train)
    val = " + ".join(f"{n:,}" for n in count_labels(source.val)) if source.val else "none"
    classes = ", ".join(c or "(no classes)" for c in source.classes[:8])
    if len(source.classes) > 8:
        classes += f" and {len(source.classes) - 8} more"
    ends = f"{config.epochs} epochs"
    if config.minutes:
        ends += f" or {config.minutes:g} minutes"
    recipe = (
        f"Adam {config.learning_rate:g}, batch {config.batch_size}, {ends}, "
        f"seed {config.seed}, {config.precision}"
    )
    if fitted == "features":
        recipe = "logistic regression on features that are computed once"
    return (
        f"Source   {source.root}: {classes}\n"
        f"Images   {real:,} real + {fake:,} generated to train on; {val} to validate\n"
        f"Recipe   {recipe}\n"
        f"Backend  {backend}\n"
        f"Run      {out}\n"
    )


def tensorboard(out):
    """The callback behind --tensorboard."""
    import keras

    require("--tensorboard", "tensorflow", "tensorboard")  # TensorFlow on every backend
    return keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False)


def watcher(config):
    """A callback that shows the training; its `close` ends the bar."""
    import keras

    class Watcher(keras.callbacks.Callback):
        """A bar for the epoch under way, and a line for each that is done."""

        prepared = ""

        def preparing(self, what, done, count):
            """What comes before the first epoch."""
            if what != self.prepared:
                self.close()
                self.prepared = what
                self.bar = progress_bar()
                self.bar.start()
                self.task = self.bar.add_task(what, total=count, note="")
            self.bar.update(self.task, completed=done)
            if done == count:
                self.close()

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
