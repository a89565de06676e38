"""`npr-keras eval`."""

from __future__ import annotations

import click

from npr_keras.config import PROTOCOLS
from npr_keras_cli.backend import backend_option, import_tensorflow_quietly, open_quietly
from npr_keras_cli.options import label_options, model_option, pipeline_option, unreadable_option

_OPTIONS = (
    model_option(
        "A run's folder, a .keras file, what npr-keras export wrote, a preset's name; or another "
        "detector's module:function, or its scores as .csv. Several times: compared side by side.",
        multiple=True,
    ),
    click.option(
        "--suite",
        help="all28, one of its suites, simulated (made on first use), or a TOML file of your own.",
    ),
    click.option(
        "--data-root",
        envvar="NPR_DATA",
        type=click.Path(),
        help="Where the suites lie (or NPR_DATA).",
    ),
    click.option("--allow-missing", is_flag=True, help="Judge what is there of a suite."),
    click.option(
        "--data",
        type=click.Path(),
        help="Images in 0_real and 1_fake, or a folder of such sets.",
    ),
    label_options,
    click.option("--pool", is_flag=True, help="Take everything under --data as one set."),
    click.option(
        "--calibrate-on",
        type=click.Path(),
        help="Labelled images to find a threshold on, other than those judged.",
    ),
    click.option(
        "--protocol",
        type=click.Choice(list(PROTOCOLS)),
        help="How files become pixels.  [default: the suite's, else the model's]",
    ),
    click.option(
        "--batch-size",
        default=32,
        show_default=True,
        type=click.IntRange(1),
        help="Images at once.",
    ),
    unreadable_option,
    click.option(
        "--scores",
        type=click.Path(dir_okay=False),
        help="Write each image's score to this CSV file.",
    ),
    click.option(
        "--verdicts",
        is_flag=True,
        help="With --scores: the verdict of each image, too, as predict gives it.",
    ),
    click.option(
        "--report",
        "reports",
        multiple=True,
        type=click.Path(dir_okay=False),
        help="Write a report: .html, .md, .tex, .csv or .json. May be given several times.",
    ),
    click.option("--json", "form", flag_value="json", help="Print JSON."),
    click.option("--csv", "form", flag_value="csv", help="Print CSV."),
    pipeline_option,
    backend_option,
)


def evaluating(function):
    """The options of eval, and of what evaluates as it does."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("eval")
@evaluating
def command(**options):
    """Evaluate detectors on labelled images.

    A suite's sub-testsets are those of its table, see npr-keras suites: each with its own protocol,
    its classes pooled, other folders ignored, and nothing begun while one is missing. Of --data, a
    folder with 0_real and 1_fake is one set; otherwise each child folder is a set, and the classes
    inside it are pooled. The last lines give the mean over the sets, as papers take it, and the
    figures of all images pooled. Accuracy is at logit 0, as the official code takes it.

    Killed or interrupted, the same command goes on where it was.

    \b
    npr-keras eval --model saved_models/npr --suite all28 --data-root DIR
    npr-keras eval --model saved_models/npr --data DIR --report report.html
    npr-keras eval --model first.keras --model second.keras --data DIR --calibrate-on OTHER
    """
    from npr_keras_cli.evaluation_view import show_evaluation

    evaluate_and_show(show_evaluation, **options)


def evaluate_and_show(
    show,
    *,
    models,
    suite,
    data_root,
    allow_missing,
    data,
    names,
    pool,
    calibrate_on,
    protocol,
    batch_size,
    max_unreadable,
    scores,
    verdicts,
    reports,
    form,
    pipeline,
    backend,
):
    """Evaluates; prints JSON, CSV, or what `show` makes of the report."""
    from npr_keras.report.text import check_path, json_text
    from npr_keras.report.write import FORMATS, csv_report, write_report
    from npr_keras_cli.inputs import sets_in, sets_of_suite
    from npr_keras_cli.render import command_line

    if (suite is None) == (data is None):
        raise click.UsageError("What to judge on: either --data DIR or --suite NAME.")
    if verdicts and not scores:
        raise click.UsageError("--verdicts goes with --scores FILE.")
    for path in reports:
        check_path(path, FORMATS, "A report")
    if scores:
        check_path(scores, None, "The file of scores")
    from npr_keras.evaluation.compare import require_apart, short_names

    short_names(models)  # a model that is given twice is refused now
    left_out: dict[str, list[str]] = {"missing": [], "ignored": []}
    if data:
        sets = sets_in(data, pool, names)
    import_tensorflow_quietly()
    from npr_keras.cache import cache_folder
    from npr_keras.scoring.score_log import ScoreLogs
    from npr_keras_cli.console import warn_not_kept

    predictors = {model: open_quietly(model) for model in models}  # before minutes of anything else
    if suite:
        found = sets_of_suite(suite, data_root, allow_missing, pool)
        sets, left_out = found.sets, {"missing": found.missing, "ignored": found.ignored}
    calibration = None
    if calibrate_on:
        (calibration,) = sets_in(calibrate_on, pool=True)
        require_apart(calibration, sets, calibrate_on)
    chosen = PROTOCOLS[protocol] if protocol else None
    keeper = ScoreLogs(cache_folder() / "scores")
    options = {"batch_size": batch_size, "pipeline": pipeline, "max_unreadable": max_unreadable}
    evaluations = _evaluated(predictors, sets, calibration, chosen, backend, keep=keeper, **options)
    if scores:
        _write_scores(evaluations, scores, verdicts)
    found_on = f"found on {calibrate_on} ({_pixels(chosen, predictors)})" if calibration else None
    report = _report(evaluations, suite or data, found_on, left_out, command_line())
    for path in reports:
        write_report(report, evaluations, path)
    warn_not_kept(keeper.failure)
    keeper.remove()
    if form:
        click.echo(json_text(report) if form == "json" else csv_report(report), nl=False)
    else:
        show(report)


def _evaluated(predictors: dict, sets, calibration, protocol, backend, **options) -> list:
    """`evaluate_models`, with progress; says which images were left out."""
    from npr_keras.evaluation.compare import evaluate_models, protocols_of
    from npr_keras_cli.console import progress_bar, warn_left_out, warn_of_pixels

    for predictor in predictors.values():
        for used in protocols_of(predictor, sets, protocol):
            warn_of_pixels(predictor.profile, used)
    first = [calibration] if calibration else []
    total = len(predictors) * sum(len(s.records) for s in (*first, *sets))
    with progress_bar() as bar:
        task = bar.add_task("building the graph", total=total, note="")

        def advance(model, name, done):
            shown = f"{model}: {name}" if len(predictors) > 1 else name
            bar.update(task, advance=done, description=shown)

        found = evaluate_models(
            predictors, sets, calibration, protocol, backend, advance, **options
        )
    warn_left_out({k: v for one in found for k, v in one.unreadable.items()})
    return found


def _write_scores(evaluations, path, verdicts: bool) -> None:
    """A line for each image and detector, with verdicts where these are asked for."""
    from npr_keras.atomic import write_text
    from npr_keras.evaluation.verdicts import score_rows
    from npr_keras.report.text import csv_text

    rows: list[dict] = []
    for evaluation in evaluations:
        found = _verdicts(evaluation) if verdicts else None
        rows += score_rows(evaluation, found)
    write_text(path, csv_text(rows))


def _verdicts(evaluation) -> dict:
    """`verdicts_of`, with progress; says how many there are of each."""
    from collections import Counter

    from npr_keras.evaluation.verdicts import verdicts_of
    from npr_keras_cli.console import progress_bar, say

    with progress_bar() as bar:
        total = sum(len(result.records) for result in evaluation.results)
        task = bar.add_task("verdicts", total=total, note="")
        found = verdicts_of(evaluation, lambda done: bar.update(task, advance=done))
    counted = Counter(one.verdict or "without a verdict" for one in found.values() if not one.error)
    said = ", ".join(f"{count:,} {verdict}" for verdict, count in counted.most_common())
    say(f"{evaluation.name}: {said}")
    return found


def _pixels(protocol, predictors) -> str:
    """How the images that a threshold was found on became pixels."""
    own = [protocol] if protocol else [p.preprocessing for p in predictors.values()]
    return f"{', '.join(sorted({p.name for p in own}))} pixels"


def _report(evaluations, data, calibrated_on, left_out, typed) -> dict:
    from datetime import date

    from npr_keras.evaluation.report import build_report

    return build_report(
        evaluations,
        command=typed,
        date=date.today().isoformat(),
        data=data,
        calibrated_on=calibrated_on,
        **left_out,
    )
