"""What lies in deploy/: files that fit together, and say what the documentation says."""

import re
from pathlib import Path

import pytest
import yaml

from npr_keras.server.model_config import read_model_config
from npr_keras.server.models import ModelSettings
from npr_keras.server.rest import METRICS_PATH
from npr_keras.server.server import ServerSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = ServerSettings()
BATCHING = {
    "max_batch_size": SETTINGS.max_batch,
    "batch_timeout_micros": round(SETTINGS.batch_timeout_ms * 1e3),
    "max_enqueued_batches": SETTINGS.max_queue // SETTINGS.max_batch,
}


def test_models():
    assert read_model_config(DEPLOY / "models.config") == [
        ModelSettings("npr", "/models/npr", 2, labels={"stable": 1})
    ]


def parameters(text):
    """The fields of a BatchingParameters as text; tensorflow-serving-api does not have it."""
    return {k: int(v) for k, v in re.findall(r"(\w+) \{ value: (\d+) \}", text)}


def test_batching_is_that_of_the_stand_in():
    found = parameters((DEPLOY / "batching.config").read_text())
    assert {k: found[k] for k in BATCHING} == BATCHING
    assert set(found) == {*BATCHING, "num_batch_threads"}


def test_compose():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    serving = services["serving"]
    mounted = dict(v.rsplit(":", 2)[0:2] for v in serving["volumes"] if v.startswith("./"))
    for file, inside in mounted.items():
        assert (DEPLOY / file).is_file()
        assert any(flag.endswith(f"={inside}") for flag in serving["command"])
    assert "--enable_batching" in serving["command"]
    assert all(port.startswith("127.0.0.1:") for port in serving["ports"])
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == ["serving:8501"]
    assert scraped["metrics_path"] == METRICS_PATH
    assert f'"{METRICS_PATH}"' in (DEPLOY / "monitoring.config").read_text()


@pytest.fixture(scope="module")
def manifest():
    parts = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return {part["kind"]: part for part in parts}


def test_kubernetes(manifest):
    config, pod = manifest["ConfigMap"]["data"], manifest["Deployment"]["spec"]["template"]
    assert parameters(config["batching.config"]) == parameters(
        (DEPLOY / "batching.config").read_text()
    )
    (container,) = pod["spec"]["containers"]
    for flag in container["args"]:
        if "/etc/npr/" in flag:
            assert flag.rsplit("/", 1)[1] in config
    ports = {port["name"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (target,) = (v for k, v in container[probe].items() if k in ("httpGet", "tcpSocket"))
        assert target["port"] in ports
    assert {p["targetPort"] for p in manifest["Service"]["spec"]["ports"]} == ports
    labels = pod["metadata"]["labels"]
    assert manifest["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifest["Service"]["spec"]["selector"] == labels
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] >= pause + SETTINGS.drain


def test_the_probes_path_tells_a_loaded_model(ask, addresses):
    if not addresses.embedded:
        pytest.skip("for the embedded server")
    assert ask("GET", "/v1/models/npr/metadata")[0] == 200
    assert ask("GET", "/v1/models/other/metadata")[0] == 404


def test_the_list_of_rules_is_documented():
    """Every conformance test's docstring is a line of docs/conformance.md, and no other."""
    import ast

    docs = (DEPLOY.parent / "docs" / "conformance.md").read_text()
    rules = []
    for name in ("rest", "grpc"):
        tree = ast.parse(Path(__file__).with_name(f"test_conformance_{name}.py").read_text())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                rules.append(ast.get_docstring(node))
    listed = [line[2:] for line in docs.splitlines() if line.startswith("* ")]
    assert listed == rules
