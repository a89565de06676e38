"""The house rules that a test can keep: who imports whom, and what a light import loads."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

# Downwards only; siblings on one line do not import each other (docs/architecture.md).
LEVELS = [
    ["npr_keras_cli"],
    ["npr_keras.exporting", "npr_keras.ablation", "npr_keras.bench", "npr_keras.describe"],
    ["npr_keras.training", "npr_keras.inputs"],
    ["npr_keras.reconstruction"],
    ["npr_keras.explanation", "npr_keras.simulation"],
    ["npr_keras.report", "npr_keras.download"],
    ["npr_keras.evaluation"],
    ["npr_keras.scoring"],
    ["npr_keras.runtimes"],
    ["npr_keras.models", "npr_keras.client", "npr_keras.server"],
    ["npr_keras.verdict", "npr_keras.serving", "npr_keras.harmless"],
    ["npr_keras.forensics"],
    ["npr_keras.layers", "npr_keras.data"],
    ["npr_keras.profile"],
    ["npr_keras.detectors"],
    ["npr_keras.presets"],
    [
        "npr_keras.config",
        "npr_keras.versions",
        "npr_keras.atomic",
        "npr_keras.cache",
        "npr_keras.locks",
        "npr_keras.limits",
    ],
    [
        "npr_keras.spectra",
        "npr_keras.visible",
        "npr_keras.settings",
        "npr_keras.tables",
        "npr_keras.packages",
    ],
    ["npr_keras.errors"],
]
LEVEL = {package: depth for depth, packages in enumerate(LEVELS) for package in packages}
MODULES = sorted([*ROOT.glob("npr_keras/**/*.py"), *ROOT.glob("cli/**/*.py")])


def package_of(module):
    parts = module.split(".")
    return parts[0] if parts[0] == "npr_keras_cli" else ".".join(parts[:2])


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("npr_keras_cli", *parts[1:]) if parts[0] == "cli" else parts)


def imports(path):
    """Every module that a file imports, anywhere in it, except for type checking."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_downwards(path):
    own = package_of(module_name(path))
    if own in ("npr_keras", "npr_keras.__init__", "npr_keras.registered"):
        return  # the public names, which are resolved on use; what Keras' arrival imports
    assert own in LEVEL, f"{own} has no level: give it one here and in docs/architecture.md"
    for name in imports(path):
        other = package_of(name)
        if name.startswith("npr_keras") and other in LEVEL and other != own:
            assert LEVEL[other] > LEVEL[own], f"{own} imports {other}"


def module_of(name, known):
    """The module that an imported name lies in."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_layers_are_known_by_name_to_the_backbones_alone(path):
    if module_name(path).startswith(
        ("npr_keras.models.backbones.", "npr_keras.tables", "npr_keras.detectors")
    ):
        return
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not strings & {"conv1", "conv1_pad", "bn1", "pool", "fc1", "layer1_0"}
    compared = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(c, ast.Constant) and c.value == "NPR" for c in node.comparators)
    ]
    assert not compared


def test_no_module_imports_itself_by_way_of_others():
    """Inside packages either, and imports in bodies count."""
    known = {module_name(path).removesuffix(".__init__"): path for path in MODULES}
    ahead = {
        name: {found for i in imports(path) if (found := module_of(i, known)) and found != name}
        for name, path in known.items()
    }
    assert sum(map(len, ahead.values())) > 300
    while leaves := {name for name, others in ahead.items() if not others & set(ahead)}:
        for name in leaves:
            del ahead[name]
    assert not ahead, f"circles among {sorted(ahead)}"


# What a view may know of the library: reports, tables and settings, and what a finding says of itself.
SHOWN = (
    "npr_keras.report", "npr_keras.ablation.tables", "npr_keras.evaluation.differences", "npr_keras.errors",
    "npr_keras.settings", "npr_keras.packages", "npr_keras.visible", "npr_keras.profile", "npr_keras.scoring.rows",
    "npr_keras.verdict", "npr_keras.evaluation.calibrate", "npr_keras.evaluation.robustness.condition_name",
    "npr_keras.forensics.check.SMALLEST", "npr_keras.data.records.count_labels",
)  # fmt: skip


@pytest.mark.parametrize("path", sorted(ROOT.glob("cli/*_view.py")), ids=module_name)
def test_views_only_render(path):
    """They read no images and no models: a page or a cluster's job does the same without them."""
    for name in imports(path):
        if name.startswith("npr_keras."):
            assert name.startswith(SHOWN), f"{path.name} imports {name}"
        assert name.split(".")[0] not in ("PIL", "tensorflow", "numpy"), f"{path.name}: {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_the_command_line_prints_and_knows_click_and_rich(path):
    if module_name(path).startswith("npr_keras_cli"):
        return
    tree = ast.parse(path.read_text())
    calls = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert "print" not in calls
    assert not {name.split(".")[0] for name in imports(path)} & {"click", "rich", "npr_keras_cli"}


def test_the_rules_would_notice():
    assert LEVEL["npr_keras.training"] < LEVEL["npr_keras.models"] < LEVEL["npr_keras.data"]
    assert len(MODULES) > 30
    assert "npr_keras.models.Detector" in set(
        imports(ROOT / "npr_keras" / "training" / "gradient.py")
    )


def test_architecture_document_names_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in [
        *ROOT.glob("npr_keras/*/"),
        *ROOT.glob("npr_keras/**/*.py"),
        *ROOT.glob("cli/*.py"),
    ]:
        if not path.name.startswith("__"):
            assert path.name in text, f"docs/architecture.md does not mention {path.name}"


HEAVY = "('keras', 'tensorflow', 'torch', 'jax', 'numpy', 'PIL', 'rich', 'sklearn')"


def test_help_loads_nothing_heavy(run_python):
    script = f"""
import sys
from npr_keras_cli.main import main
for arguments in (["--help"], ["train", "--help"], ["eval", "--help"]):
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 0
loaded = [name for name in {HEAVY} if name in sys.modules]
assert not loaded, loaded
"""
    assert "Train a detector" in run_python(script).stdout


def test_importing_the_library_loads_nothing_heavy(run_python):
    run_python(f"import sys, npr_keras; assert not [n for n in {HEAVY} if n in sys.modules]")


def test_public_names():
    import npr_keras

    wanted = {
        "score",
        "open_predictor",
        "explain",
        "export",
        "evaluate",
        "train",
        "load_detector",
        "Detector",
        "NPR",
    }
    assert wanted <= set(npr_keras.__all__)
    for name in npr_keras.__all__:
        assert getattr(npr_keras, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        npr_keras.Nothing  # noqa: B018


def test_no_function_is_named_like_its_package_and_module():
    """`from package import name` would give one or the other, by what was imported before."""
    import importlib

    for folder in (ROOT / "npr_keras").iterdir():
        if not (folder / "__init__.py").exists():
            continue
        package = importlib.import_module(f"npr_keras.{folder.name}")
        modules = {path.stem for path in folder.glob("*.py")}
        assert not modules & set(getattr(package, "__all__", ())), folder.name


def test_every_error_is_in_the_tree():
    from npr_keras import errors

    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]
    for cls in classes:
        assert issubclass(cls, errors.NPRKerasError)
        assert cls.__name__ in errors.__doc__


def test_files_and_functions_stay_small():
    for path in MODULES:
        lines = path.read_text().splitlines()
        assert len(lines) <= 300, f"{path.name} has {len(lines)} lines"
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef) and path.parent.name != "commands":
                size = node.end_lineno - node.lineno + 1
                assert size <= 75, f"{path.name}: {node.name} has {size} lines"


def test_version_is_that_of_the_package():
    import tomllib

    import npr_keras

    assert (
        tomllib.loads(Path(ROOT, "pyproject.toml").read_text())["project"]["version"]
        == npr_keras.__version__
    )
