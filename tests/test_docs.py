"""The documentation is current, complete, and its Python runs."""

import doctest
import inspect
import re
import shlex

import numpy as np
import pytest
from conftest import ROOT

import npr_keras

DOCS = sorted(p for p in (ROOT / "docs").rglob("*.md"))


def test_command_reference_is_current():
    from npr_keras_cli.reference import reference

    assert (ROOT / "docs" / "commands.md").read_text() == reference(), "run: make docs"


def test_site_builds_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site"))
    build(config)
    assert "MkDocs" in (tmp_path / "site" / "index.html").read_text()
    pages = "".join(p.read_text() for p in (tmp_path / "site").rglob("*.html"))
    # A reader of the pages asks nobody else's server for anything.
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', pages)
    assert not [url for url in loaded if "canonical" not in url]


def commands():
    """Every `npr-keras ...` line in the documentation."""
    for path in [ROOT / "README.md", *DOCS]:
        if path.name != "commands.md":
            for line in path.read_text().splitlines():
                match = re.match(r" {4}(?:\$ |\.venv/bin/)?(npr-keras .+)", line)
                if match:
                    yield pytest.param(match[1].split("#")[0], id=f"{path.name}: {match[1][:50]}")


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_documentation_parses(line, tmp_path, monkeypatch):
    import click

    from npr_keras_cli.main import main

    (tmp_path / "DIR").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # --backend sets it
    arguments = shlex.split(line)[1:]
    command, context = main, click.Context(main, info_name="npr-keras")
    while isinstance(command, click.Group):
        inner = command.get_command(context, arguments[0])
        if not inner and command.invoke_without_command:
            break
        assert inner, line
        command, context, arguments = inner, click.Context(inner, context), arguments[1:]
    command.make_context(command.name, arguments)  # parses, and raises what it would show


def python_blocks():
    """Indented blocks that are Python: they import npr_keras or numpy first."""
    for path in [ROOT / "README.md", *DOCS]:
        for block in re.findall(r"(?:^ {4}.*\n|^\n)+", path.read_text(), re.M):
            text = re.sub(r"^ {4}", "", block.strip("\n"), flags=re.M)
            if text.startswith(("import npr_keras", "import numpy")):
                yield pytest.param(text, id=f"{path.name}: {text.splitlines()[-1][:40]}")


def test_commands_and_examples_are_found():
    assert len(list(commands())) > 15
    assert len(list(python_blocks())) >= 4


@pytest.fixture
def belongings(tmp_path, monkeypatch, make_set, make_images):
    """What the examples take for granted, in the current folder."""
    from npr_keras import Detector, ResNet, save_detector

    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved_models" / "npr").mkdir(parents=True)
    save_detector(Detector(ResNet(blocks=(1,), width=8)), tmp_path / "saved_models/npr/model.keras")
    make_set(tmp_path / "my_images", 2)
    make_set(tmp_path / "my_test_images", 2)
    for part, count in (("train", 2), ("val", 1)):
        make_set(tmp_path / "my_source" / part / "cat", count)
    make_images(tmp_path, 1)
    (tmp_path / "000.png").rename(tmp_path / "photo.jpg")


@pytest.mark.parametrize("text", python_blocks())
def test_every_python_example_runs(text, belongings):
    exec(text.replace("epochs=20", "epochs=1"), {})


PUBLIC = [name for name in npr_keras.__all__ if name not in ("__version__", "PROTOCOLS")]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is_and_its_example_runs(name, belongings):
    public = {one: getattr(npr_keras, one) for one in npr_keras.__all__}
    text = inspect.getdoc(public[name])
    assert len(text.splitlines()[0]) > 20 and text.splitlines()[0].endswith((".", ")."))
    examples = doctest.DocTestParser().get_doctest(text, {**public, "np": np}, name, None, None)
    assert examples.examples, f"{name} has no example"
    if name == "Client":  # it needs a server: tests/serving/test_client.py runs it
        return
    said = []
    doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert not said, "".join(said)
