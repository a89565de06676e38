"""Calibration: the images' scores with progress, what was found, and its diagram."""

from __future__ import annotations

from npr_keras_cli.console import say, stdout


def draw(found, path: str) -> None:
    """Writes the reliability diagram."""
    from npr_keras.report.charts import reliability_diagram, save

    save(reliability_diagram(found.before, found.after), path)


def show_calibration(found, stored_in: str | None) -> None:
    """Prints what was found, and where it is kept."""
    from npr_keras.evaluation.calibrate import expected_calibration_error

    calibration = found.calibration
    lines = [f"images       {calibration.images:,}"]
    if found.after:
        before, after = map(expected_calibration_error, (found.before, found.after))
        lines += [
            f"temperature  {calibration.temperature:.4g}",
            f"shift        {calibration.shift:.4g}",
            f"calibration error (ECE, 10 bins)  {100 * before:.1f} % before, {100 * after:.1f} % after,",
            "             on the same images, both kinds weighing alike",
        ]
    at = calibration.probability(calibration.threshold)
    lines.append(f"threshold    logit {calibration.threshold:.4g}, probability {at:.4g}")
    if found.rate:
        low, high = (100 * end for end in found.rate.interval)
        lines += [
            f"             {found.rate.above} of {found.rate.images:,} real images are above it: "
            f"{100 * found.rate.above / found.rate.images:.2f} %,",
            f"             95 % interval {low:.2f} to {high:.2f} % (exact binomial). With 95 %",
            f"             confidence it keeps {100 * found.rate.rate:g} %; that takes {found.needed:,} real images.",
        ]
    for line in lines:
        stdout().print(line, markup=False, soft_wrap=True)
    if stored_in:
        say(f"Stored in {stored_in}: predict, eval, explain and export use it.")


def say_what_changed(before, calibration, protocol) -> None:
    """Says what else a stored calibration changes: the model's pixels, measurements that no longer hold.

    Args:
        before: The model's `ModelProfile` until now.
        calibration: What was stored.
        protocol: The pixels that it was found on.
    """
    import dataclasses

    if before.preprocessing != protocol:
        say(
            f"The model makes {protocol.name} pixels from now on (until now {before.preprocessing.name})."
        )
    after = dataclasses.replace(before, preprocessing=protocol, calibration=calibration)
    if before.robustness and not after.robustness_for(protocol):
        say(
            "The stored robustness was measured at another threshold or on other pixels and is no "
            "longer used. Run again: npr-keras robustness --store"
        )
