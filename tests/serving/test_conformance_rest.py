"""TensorFlow Serving's REST, rule by rule. The docstrings are the list in docs/conformance.md."""

import base64
import gzip
import json
import math

import pytest

MODEL = "/v1/models/npr"


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def error_of(answer, status):
    found, body, headers = answer
    assert found == status, body
    assert headers.get_content_type() == "application/json"
    assert set(body) == {"error"}
    return body["error"]


@pytest.fixture(autouse=True)
def model(addresses, monkeypatch):
    if addresses.rest:
        monkeypatch.setattr(f"{__name__}.MODEL", f"/v1/models/{addresses.rest.name}")


def test_rows_of_bytes(ask, pictures):
    """predict: `instances` as a list of base64 objects; several outputs come as objects."""
    status, body, _ = ask("POST", f"{MODEL}:predict", {"instances": [b64(p) for p in pictures]})
    assert status == 200
    assert len(body["predictions"]) == len(pictures)
    for row in body["predictions"]:
        assert set(row) == {"error", "label", "logit", "probability", "valid"}
        assert row["valid"] is True
        assert row["label"] in ("no trace", "generated")
        assert 0 <= row["probability"] <= 1


def test_rows_of_named_inputs(ask, pictures):
    """predict: `instances` as objects with exactly the names of the inputs."""
    named = [{"images": b64(p)} for p in pictures[:2]]
    _, body, _ = ask("POST", f"{MODEL}:predict", {"instances": named})
    _, plain, _ = ask("POST", f"{MODEL}:predict", {"instances": [b64(p) for p in pictures[:2]]})
    for one, other in zip(body["predictions"], plain["predictions"], strict=True):
        assert one["logit"] == pytest.approx(other["logit"], abs=1e-5)


def test_columns(ask, pictures):
    """predict: `inputs` by name, or bare for one input; answered as `outputs`."""
    rows = [b64(p) for p in pictures[:2]]
    _, named, _ = ask("POST", f"{MODEL}:predict", {"inputs": {"images": rows}})
    _, bare, _ = ask("POST", f"{MODEL}:predict", {"inputs": rows})
    assert set(named["outputs"]) == {"error", "label", "logit", "probability", "valid"}
    assert len(named["outputs"]["logit"]) == 2
    assert named["outputs"]["logit"] == pytest.approx(bare["outputs"]["logit"], abs=1e-5)


def test_numbers(ask):
    """predict: nested lists of numbers for the signature `pixels`."""
    picture = [[[5, 100, 250]] * 16] * 16
    body = {"signature_name": "pixels", "instances": [picture, picture]}
    status, answer, _ = ask("POST", f"{MODEL}:predict", body)
    assert status == 200
    first, second = answer["predictions"]
    assert first["logit"] == pytest.approx(second["logit"], abs=1e-6)


def test_plain_strings_are_bytes(ask):
    """predict: a plain string is taken as its bytes; what they do not decode to spoils that row."""
    status, answer, _ = ask("POST", f"{MODEL}:predict", {"instances": ["no image"]})
    assert status == 200
    assert answer["predictions"][0]["valid"] is False


def test_not_a_number_is_emitted(ask, pictures):
    """predict: NaN is emitted as a bare token, and taken."""
    _, answer, _ = ask("POST", f"{MODEL}:predict", {"instances": ["x", b64(pictures[0])]})
    assert [math.isnan(row["logit"]) for row in answer["predictions"]] == [True, False]
    pixels = "[[[NaN, 1, 1], [1, 1, 1]], [[1, 1, 1], [1, Infinity, 1]]]"
    body = f'{{"signature_name": "pixels_float32", "instances": [{pixels}]}}'
    status, answer, _ = ask("POST", f"{MODEL}:predict", body)
    assert status == 200
    assert answer["predictions"][0]["valid"] is False


def test_one_output_is_bare(ask):
    """predict: a single output comes as bare values, in rows and in columns."""
    body = {"signature_name": "facts", "instances": ["x", "y"]}
    _, answer, _ = ask("POST", f"{MODEL}:predict", body)
    assert len(answer["predictions"]) == 2
    assert json.loads(answer["predictions"][0])["labels"] == ["no trace", "generated"]
    _, answer, _ = ask("POST", f"{MODEL}:predict", {"signature_name": "facts", "inputs": ["x"]})
    assert isinstance(answer["outputs"], list)


@pytest.mark.parametrize("body", [{}, {"instances": ["x"], "inputs": ["x"]}])
def test_instances_or_inputs(ask, body):
    """predict: `instances` and `inputs` at once, or neither, is 400."""
    assert "inputs" in error_of(ask("POST", f"{MODEL}:predict", body), 400)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"image": "x"}]},
        {"instances": [{"images": "x", "more": 1}]},
        {"inputs": {"pictures": ["x"]}},
        {"instances": [{"images": "x"}, "x"]},
        {"instances": []},
        {"instances": "x"},
        {"instances": [1]},
        {"instances": [{"b64": "*"}]},
        {"signature_name": "pixels", "instances": ["x"]},
        {"signature_name": "pixels", "instances": [[[[1, 2, 3], [1, 2]]]]},
        {"signature_name": "pixels", "instances": [[[[1, 2, 300]]]]},
        {"signature_name": "pixels", "instances": [[1, 2, 3]]},
    ],
)
def test_wrong_inputs(ask, body):
    """predict: wrong names, types, shapes or base64 are 400."""
    assert error_of(ask("POST", f"{MODEL}:predict", body), 400)


def test_unknown_signature(ask):
    """predict: an unknown signature is 400, with its name."""
    body = {"signature_name": "nothing", "instances": ["x"]}
    assert '"nothing" not found' in error_of(ask("POST", f"{MODEL}:predict", body), 400)


@pytest.mark.parametrize("body", ["", "{", "[1]", "\xff", '{"instances": [1'])
def test_no_json(ask, body):
    """A body that is no JSON object is 400."""
    assert error_of(ask("POST", f"{MODEL}:predict", body), 400)


def test_classify(ask, pictures):
    """classify: `examples` as objects of features; the answer's key is `results`."""
    body = {"signature_name": "classify", "examples": [{"image/encoded": b64(pictures[0])}]}
    status, answer, _ = ask("POST", f"{MODEL}:classify", body)
    assert status == 200
    (row,) = answer["results"]
    assert [label for label, _ in row] == ["no trace", "generated"]
    assert sum(score for _, score in row) == pytest.approx(1, abs=1e-6)


def test_regress(ask, pictures):
    """regress: one value for each example, under `results`; a shared `context` is merged in."""
    body = {
        "signature_name": "regress",
        "context": {"image/encoded": b64(pictures[0])},
        "examples": [{}, {"image/encoded": b64(pictures[1])}],
    }
    status, answer, _ = ask("POST", f"{MODEL}:regress", body)
    assert status == 200
    rows = {"instances": [b64(p) for p in pictures[:2]]}
    _, predicted, _ = ask("POST", f"{MODEL}:predict", rows)
    expected = [row["probability"] for row in predicted["predictions"]]
    assert answer["results"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "body", [{}, {"examples": []}, {"examples": [1]}, {"examples": [{"a": {}}]}]
)
def test_wrong_examples(ask, body):
    """classify: missing, empty or wrong `examples` are 400."""
    body = {"signature_name": "classify", **body}
    assert error_of(ask("POST", f"{MODEL}:classify", body), 400)


def test_status(ask):
    """GET of a model: `model_version_status`, the version as a string."""
    status, body, _ = ask("GET", MODEL)
    assert status == 200
    first = body["model_version_status"][0]
    assert isinstance(first["version"], str)
    assert first["state"] == "AVAILABLE"
    assert first["status"] == {"error_code": "OK", "error_message": ""}


def test_status_of_a_version(ask):
    """GET of a version; one that there is not is 404 `Could not find version N of model X`."""
    _, body, _ = ask("GET", MODEL)
    version = body["model_version_status"][0]["version"]
    _, body, _ = ask("GET", f"{MODEL}/versions/{version}")
    assert [one["version"] for one in body["model_version_status"]] == [version]
    said = error_of(ask("GET", f"{MODEL}/versions/987654"), 404)
    assert said == f"Could not find version 987654 of model {MODEL.rsplit('/', 1)[1]}"


def test_metadata(ask):
    """GET of `/metadata`: `model_spec`, and the signatures under `signature_def` twice."""
    status, body, _ = ask("GET", f"{MODEL}/metadata")
    assert status == 200
    assert body["model_spec"]["name"] == MODEL.rsplit("/", 1)[1]
    signatures = body["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["images"]["dtype"] == "DT_STRING"
    assert signatures["pixels"]["inputs"]["pixels"]["tensor_shape"]["dim"][3]["size"] == "3"


def test_version_in_the_path(ask, pictures):
    """predict on `/versions/N`; one that there is not is 404."""
    _, body, _ = ask("GET", MODEL)
    version = body["model_version_status"][0]["version"]
    rows = {"instances": [b64(pictures[0])]}
    assert ask("POST", f"{MODEL}/versions/{version}:predict", rows)[0] == 200
    assert "Servable not found" in error_of(
        ask("POST", f"{MODEL}/versions/987654:predict", rows), 404
    )


def test_labels(ask, pictures, addresses):
    """predict and GET on `/labels/L`; an unknown label is 400."""
    rows = {"instances": [b64(pictures[0])]}
    assert error_of(ask("POST", f"{MODEL}/labels/nobody:predict", rows), 400)
    if addresses.embedded:
        assert ask("POST", f"{MODEL}/labels/stable:predict", rows)[0] == 200
        assert ask("GET", f"{MODEL}/labels/stable")[0] == 200


def test_unknown_model(ask):
    """An unknown model is 404; predict says `Servable not found for request: Latest(name)`."""
    said = error_of(ask("POST", "/v1/models/nobody:predict", {"instances": ["x"]}), 404)
    assert said == "Servable not found for request: Latest(nobody)"
    assert error_of(ask("GET", "/v1/models/nobody"), 404)
    assert error_of(ask("GET", "/v1/models/nobody/metadata"), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/models/npr:predict"),
        ("POST", "/v1/models/npr"),
        ("POST", "/v1/models/npr:explode"),
        ("PUT", "/v1/models/npr:predict"),
        ("DELETE", "/v1/models/npr"),
        ("GET", "/v1/models/npr/versions/two"),
    ],
)
def test_malformed(ask, method, path):
    """A wrong verb or path under /v1/ is 400 `Malformed request: VERB PATH`."""
    assert error_of(ask(method, path), 400) == f"Malformed request: {method} {path}"


def test_outside(ask):
    """A path outside /v1/ is 404, and not JSON."""
    status, _, headers = ask("GET", "/elsewhere")
    assert status == 404
    assert headers.get_content_type() != "application/json"


def test_case_and_escapes(ask, pictures):
    """The path's fixed parts in any case; name and label are percent-decoded."""
    rows = {"instances": [b64(pictures[0])]}
    name = MODEL.rsplit("/", 1)[1]
    escaped = "".join(f"%{ord(c):02X}" for c in name)
    assert ask("POST", f"/v1/models/{escaped}:predict", rows)[0] == 200
    assert ask("POST", f"/v1/MODELS/{name}:Predict", rows)[0] == 200


def test_gzip(ask, pictures):
    """A body with `Content-Encoding: gzip` is inflated; broken gzip is 400."""
    body = gzip.compress(json.dumps({"instances": [b64(pictures[0])]}).encode())
    headers = {"Content-Encoding": "gzip"}
    assert ask("POST", f"{MODEL}:predict", body, headers)[0] == 200
    assert error_of(ask("POST", f"{MODEL}:predict", b"no gzip", headers), 400)
    assert error_of(ask("POST", f"{MODEL}:predict", body[:-20], headers), 400)


def test_bombs(ask, addresses):
    """A gzip of more than 100 MB is refused without inflating all of it."""
    if not addresses.embedded:
        pytest.skip("the limit of others may differ")
    bomb = gzip.compress(b" " * (101 << 20), 1)
    status, body, _ = ask("POST", f"{MODEL}:predict", bomb, {"Content-Encoding": "gzip"})
    assert status == 413
    assert "larger than" in body["error"]
