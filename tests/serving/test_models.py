"""Which versions are loaded, and when, with something quick in place of SavedModels."""

import asyncio
import os

import pytest

from npr_keras.errors import ConfigError, ServingError
from npr_keras.server.model_config import read_model_config
from npr_keras.server.models import Models, ModelSettings
from npr_keras.serving.states import END


@pytest.fixture
def base(tmp_path):
    def make(*versions):
        for version in versions:
            (tmp_path / "npr" / str(version)).mkdir(parents=True)
        return tmp_path / "npr"

    return make


def load(folder):
    if (folder / "broken").exists():
        raise ServingError("FAILED_PRECONDITION", f"{folder.name} is broken")
    return f"servable {folder.name}"


def models_of(path, load=load, **settings):
    lines = []
    return Models([ModelSettings("npr", str(path), **settings)], load, lines.append), lines


def test_the_newest_and_what_follows_it(base):
    async def work():
        path = base(1, 2, 10)
        (path / "notes").mkdir()
        (path / "\u00b2").mkdir()
        models, lines = models_of(path)
        await models.poll()
        assert models.find("npr") == (10, "servable 10")
        with pytest.raises(ServingError, match=r"Specific\(npr, 2\)"):
            models.find("npr", 2)
        base(11)
        await models.poll()
        assert models.find("npr") == (11, "servable 11")
        assert models.available() == {"npr": [11]}
        assert models.status("npr")[10].state == END
        # The new one is there before the old one goes.
        assert lines == [
            "npr, version 10: available",
            "npr, version 11: available",
            "npr, version 10: unloaded",
        ]

    asyncio.run(work())


def test_an_old_one_answers_while_a_new_one_is_loaded(base):
    async def work():
        path = base(1)
        seen = []

        def watching(folder):
            if folder.name == "2":
                seen.append(models.find("npr"))
            return load(folder)

        models, _ = models_of(path, watching)
        await models.poll()
        base(2)
        await models.poll()
        assert seen == [(1, "servable 1")]

    asyncio.run(work())


def test_a_broken_version_leaves_the_old_one(base):
    async def work():
        path = base(1)
        models, lines = models_of(path)
        await models.poll()
        base(2)
        (path / "2" / "broken").touch()
        for _ in range(3):
            await models.poll()
        assert models.find("npr") == (1, "servable 1")
        status = models.status("npr", 2)[2]
        assert (status.state, status.code, status.message) == (
            END, "FAILED_PRECONDITION", "2 is broken",
        )  # fmt: skip
        assert lines.count("npr, version 2: 2 is broken") == 1  # it is not tried again and again
        assert models.errors() == ["npr, version 2: 2 is broken"]
        (path / "2" / "broken").unlink()
        os.utime(path / "2", (1e9, 2e9))
        await models.poll()
        assert models.find("npr") == (2, "servable 2")

    asyncio.run(work())


def test_whatever_a_load_raises(base):
    """An error that nobody thought of is the version's end, and not the server's."""

    async def work():
        def failing(folder):
            if folder.name == "2":
                raise RuntimeError("odd")
            return load(folder)

        path = base(1)
        models, lines = models_of(path, failing)
        await models.poll()
        base(2)
        await models.poll()
        assert models.find("npr") == (1, "servable 1")
        status = models.status("npr", 2)[2]
        assert (status.state, status.code) == (END, "INTERNAL")
        assert "odd" in lines[-1]

    asyncio.run(work())


def test_a_version_that_is_taken_away(base):
    async def work():
        path = base(1, 2)
        models, _ = models_of(path)
        await models.poll()
        (path / "2").rmdir()
        await models.poll()
        assert models.find("npr") == (1, "servable 1")
        (path / "1").rmdir()
        await models.poll()
        assert models.find("npr") == (1, "servable 1")  # the last one stays
        base(2)
        await models.poll()
        assert models.find("npr") == (2, "servable 2")

    asyncio.run(work())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"latest": 2}, [2, 3]), ({"versions": (-1,)}, [1, 2, 3]), ({"versions": (1, 7)}, [1])],
)
def test_policies(base, settings, expected):
    async def work():
        models, _ = models_of(base(1, 2, 3), **settings)
        await models.poll()
        assert models.available() == {"npr": expected}
        assert list(models.status("npr")) == expected[::-1]

    asyncio.run(work())


def test_labels_and_what_there_is_not(base):
    async def work():
        models, _ = models_of(base(1, 2), versions=(-1,), labels={"stable": 1})
        with pytest.raises(ServingError) as error:
            models.find("npr")
        assert error.value.code == "NOT_FOUND"
        await models.poll()
        assert models.find("npr", label="stable") == (1, "servable 1")
        for wrong in ({"label": "other"}, {"version": 9}):
            with pytest.raises(ServingError):
                models.find("npr", **wrong)
        with pytest.raises(ServingError, match="Could not find version 9 of model npr"):
            models.status("npr", 9)
        with pytest.raises(ServingError, match="Could not find any versions of model other"):
            models.status("other")

    asyncio.run(work())


def test_another_configuration(base, tmp_path):
    async def work():
        path = base(1)
        (tmp_path / "second" / "5").mkdir(parents=True)
        models, lines = models_of(path)
        await models.poll()
        models.configure([ModelSettings("second", str(tmp_path / "second"))])
        await models.poll()
        assert models.available() == {"second": [5]}
        assert lines[-1] == "npr, version 1: unloaded"
        with pytest.raises(ServingError):
            models.find("npr")
        with pytest.raises(ConfigError, match="Given twice: a"):
            models.configure([ModelSettings("a", "x"), ModelSettings("a", "y")])
        assert list(models.settings) == ["second"]

    asyncio.run(work())


def test_a_configuration_that_cannot_be_served_changes_nothing(base, tmp_path):
    async def work():
        models, _ = models_of(base(1))
        await models.poll()
        wrong = [ModelSettings("npr", str(tmp_path / "npr")), ModelSettings("new", "/nowhere")]
        with pytest.raises(ServingError, match="new in /nowhere"):
            await models.reconfigure(wrong)
        assert models.available() == {"npr": [1]}
        (tmp_path / "second" / "5").mkdir(parents=True)
        await models.reconfigure([ModelSettings("second", str(tmp_path / "second"))])
        assert models.available() == {"second": [5]}

    asyncio.run(work())


def test_config_file(tmp_path):
    file = tmp_path / "models.config"
    file.write_text("""
        model_config_list {
          config { name: "npr" base_path: "/models/npr" model_platform: "tensorflow"
                   model_version_policy { specific { versions: 1 versions: 4 } }
                   version_labels { key: "stable" value: 1 } }
          config { name: "other" base_path: "/models/other"
                   model_version_policy { latest { num_versions: 3 } } }
          config { name: "all" base_path: "/models/all" model_version_policy { all {} } }
        }""")
    assert read_model_config(file) == [
        ModelSettings("npr", "/models/npr", 1, (1, 4), {"stable": 1}),
        ModelSettings("other", "/models/other", 3),
        ModelSettings("all", "/models/all", versions=(-1,)),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model {", "is no model config"),
        ("", "Expected a model_config_list"),
        ("model_config_list {}", "names no model"),
        ('model_config_list { config { name: "a" } }', "a name and a base_path"),
        (
            'model_config_list { config { name: "a" base_path: "b" model_platform: "onnx" } }',
            'expected model_platform: "tensorflow"',
        ),
        (
            'model_config_list { config { name: "a" base_path: "b" '
            "model_version_policy { specific {} } } }",
            "names no version",
        ),
    ],
)
def test_wrong_config_files(tmp_path, text, said):
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_model_config(file)
    with pytest.raises(ConfigError, match="Cannot read the model config file"):
        read_model_config(tmp_path / "gone")
