"""TensorFlow Serving's gRPC, rule by rule, by tensorflow-serving-api's own stubs. The docstrings are
the list in docs/conformance.md."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@pytest.fixture(scope="module")
def channel(addresses):
    if not addresses.grpc:
        pytest.skip("no NPR_TFS_GRPC_URL")
    with grpc.insecure_channel(addresses.grpc.server, OPTIONS) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def request_for(addresses):
    """A predict request for the signature, with the inputs as tensors."""

    def make(signature="", version=None, label="", **inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = addresses.grpc.name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return request

    return make


def refused(call, request, code):
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=30)
    assert error.value.code() == getattr(grpc.StatusCode, code), error.value.details()
    return error.value.details()


def example_of(data):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))


def test_predict(stub, request_for, pictures):
    """Predict: an empty signature name is `serving_default`; strings of any length in one batch."""
    response = stub.Predict(request_for(images=[*pictures, b"none"]), timeout=60)
    answer = {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}
    assert set(answer) == {"error", "label", "logit", "probability", "valid"}
    assert answer["valid"].tolist() == [True] * len(pictures) + [False]
    assert response.model_spec.signature_name == "serving_default"


def test_resolved_version(stub, request_for, pictures, channel, addresses):
    """Predict: the answer's model_spec carries the version that answered."""
    response = stub.Predict(request_for(images=pictures[:1]), timeout=60)
    assert response.model_spec.name == addresses.grpc.name
    version = response.model_spec.version.value
    assert version >= 1
    again = stub.Predict(request_for(version=version, images=pictures[:1]), timeout=60)
    assert again.model_spec.version.value == version


def test_output_filter(stub, request_for, pictures):
    """Predict: `output_filter` is honoured; an output that there is not is INVALID_ARGUMENT."""
    request = request_for(images=pictures[:1])
    request.output_filter.append("logit")
    assert set(stub.Predict(request, timeout=60).outputs) == {"logit"}
    request.output_filter.append("nothing")
    assert "nothing" in refused(stub.Predict, request, "INVALID_ARGUMENT")


def test_values_one_by_one(stub, request_for):
    """Predict: tensors as `tensor_content` and as lists of values are the same."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    request = request_for("pixels", pixels=pixels)
    first = tf.make_ndarray(stub.Predict(request, timeout=60).outputs["logit"])
    listed = request_for("pixels", pixels=pixels)
    listed.inputs["pixels"].tensor_content = b""
    listed.inputs["pixels"].int_val.extend(pixels.reshape(-1).tolist())
    second = tf.make_ndarray(stub.Predict(listed, timeout=60).outputs["logit"])
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_large_messages(stub, request_for):
    """Predict: messages beyond Python's default of 4 MB."""
    pixels = np.zeros((8, 512, 512, 3), np.uint8)
    response = stub.Predict(request_for("pixels", pixels=pixels), timeout=120)
    assert tf.make_ndarray(response.outputs["logit"]).shape == (8,)


def test_unknown_signature(stub, request_for, pictures):
    """Predict: an unknown signature is FAILED_PRECONDITION."""
    said = refused(stub.Predict, request_for("nothing", images=pictures[:1]), "FAILED_PRECONDITION")
    assert '"nothing" not found' in said


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"pictures": [b"x"]},
        {"images": [b"x"], "more": [1]},
        {"images": [1.5]},
        {"images": [[b"x"]]},
    ],
)
def test_wrong_inputs(stub, request_for, inputs):
    """Predict: wrong names, types or shapes are INVALID_ARGUMENT."""
    assert refused(stub.Predict, request_for(**inputs), "INVALID_ARGUMENT")


def test_tensors_that_do_not_add_up(stub, request_for):
    """Predict: a tensor whose values do not fill its shape is INVALID_ARGUMENT."""
    request = request_for("pixels", pixels=np.zeros((1, 8, 8, 3), np.uint8))
    request.inputs["pixels"].tensor_shape.dim[0].size = 1 << 40
    refused(stub.Predict, request, "INVALID_ARGUMENT")
    request.inputs["pixels"].tensor_shape.dim[0].size = -1
    refused(stub.Predict, request, "INVALID_ARGUMENT")


def test_unknown_model_and_version(stub, request_for, pictures):
    """Predict: an unknown model or version is NOT_FOUND."""
    request = request_for(images=pictures[:1])
    request.model_spec.name = "nobody"
    assert refused(stub.Predict, request, "NOT_FOUND") == (
        "Servable not found for request: Latest(nobody)"
    )
    refused(stub.Predict, request_for(version=987654, images=pictures[:1]), "NOT_FOUND")
    request.model_spec.name = ""
    refused(stub.Predict, request, "INVALID_ARGUMENT")


def test_labels(stub, request_for, pictures, addresses):
    """Predict: a label stands for a version; an unknown one is INVALID_ARGUMENT."""
    refused(stub.Predict, request_for(label="nobody", images=pictures[:1]), "INVALID_ARGUMENT")
    if addresses.embedded:
        response = stub.Predict(request_for(label="stable", images=pictures[:1]), timeout=60)
        assert response.model_spec.version.value == 1


def test_classify(stub, addresses, pictures):
    """Classify: the classes and scores of tf.Examples; a broken one has NaN in its own row."""
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = addresses.grpc.name
    request.model_spec.signature_name = "classify"
    for data in (pictures[0], b"none"):
        request.input.example_list.examples.append(example_of(data))
    response = stub.Classify(request, timeout=60)
    good, bad = response.result.classifications
    assert [one.label for one in good.classes] == ["no trace", "generated"]
    assert sum(one.score for one in good.classes) == pytest.approx(1, abs=1e-6)
    assert np.isnan([one.score for one in bad.classes]).all()
    assert response.model_spec.version.value >= 1


def test_regress(stub, addresses, pictures, request_for):
    """Regress: one value for each example; a context is merged into each."""
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = addresses.grpc.name
    request.model_spec.signature_name = "regress"
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(example_of(pictures[0]))
    listed.examples.add()
    listed.examples.append(example_of(pictures[1]))
    values = [one.value for one in stub.Regress(request, timeout=60).result.regressions]
    response = stub.Predict(request_for(images=pictures[:2]), timeout=60)
    expected = tf.make_ndarray(response.outputs["probability"])
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_examples_for_the_wrong_signature(stub, addresses, pictures):
    """Classify: without examples INVALID_ARGUMENT; a signature for others FAILED_PRECONDITION."""
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = addresses.grpc.name
    request.model_spec.signature_name = "classify"
    refused(stub.Classify, request, "INVALID_ARGUMENT")
    request.input.example_list.examples.append(example_of(pictures[0]))
    request.model_spec.signature_name = "serving_default"
    refused(stub.Classify, request, "FAILED_PRECONDITION")


def test_multi_inference(stub, addresses, pictures):
    """MultiInference: answered, or a clean UNIMPLEMENTED."""
    request = inference_pb2.MultiInferenceRequest()
    request.input.example_list.examples.append(example_of(pictures[0]))
    task = request.tasks.add(method_name="tensorflow/serving/classify")
    task.model_spec.name = addresses.grpc.name
    try:
        assert stub.MultiInference(request, timeout=60).results
    except grpc.RpcError as error:
        assert error.code() in (
            grpc.StatusCode.UNIMPLEMENTED,
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.INVALID_ARGUMENT,
        )


def test_metadata(stub, addresses):
    """GetModelMetadata: `metadata_field` is exactly "signature_def"; else INVALID_ARGUMENT."""
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = addresses.grpc.name
    refused(stub.GetModelMetadata, request, "INVALID_ARGUMENT")
    request.metadata_field.append("signature_def")
    response = stub.GetModelMetadata(request, timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert "images" in signatures.signature_def["serving_default"].inputs
    request.metadata_field.append("weather")
    refused(stub.GetModelMetadata, request, "INVALID_ARGUMENT")


def test_status(channel, addresses):
    """GetModelStatus: the versions with state and error; NOT_FOUND for what there is not."""
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = addresses.grpc.name
    (first, *_) = stub.GetModelStatus(request, timeout=60).model_version_status
    assert first.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert first.status.error_code == 0
    request.model_spec.version.value = 987654
    refused(stub.GetModelStatus, request, "NOT_FOUND")


def test_reload(channel, addresses, exported):
    """HandleReloadConfigRequest: another list of models takes effect; a wrong one is refused."""
    if not addresses.embedded:
        pytest.skip("the configuration of others is theirs")
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = model_management_pb2.ReloadConfigRequest()
    refused(stub.HandleReloadConfigRequest, request, "INVALID_ARGUMENT")
    first = request.config.model_config_list.config.add(name="npr", base_path=str(exported[0]))
    first.version_labels["stable"] = 1
    second = request.config.model_config_list.config.add(name="second")
    refused(stub.HandleReloadConfigRequest, request, "INVALID_ARGUMENT")
    second.base_path = str(exported[0])
    stub.HandleReloadConfigRequest(request, timeout=60)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "second"
    (one,) = stub.GetModelStatus(asked, timeout=60).model_version_status
    assert one.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    del request.config.model_config_list.config[1]
    stub.HandleReloadConfigRequest(request, timeout=60)
    refused(stub.GetModelStatus, asked, "NOT_FOUND")


def test_health(channel, addresses):
    """grpc.health.v1: SERVING for "", ModelService and PredictionService; else NOT_FOUND."""
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "ModelService", "PredictionService") if addresses.embedded else ("",):
        response = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=30)
        assert response.status == health_pb2.HealthCheckResponse.SERVING
    refused(stub.Check, health_pb2.HealthCheckRequest(service="nobody"), "NOT_FOUND")
