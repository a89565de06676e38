"""The light client's tensors and messages beside TensorFlow's own, in both directions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from npr_keras.errors import ServingError
from npr_keras.serving import messages
from npr_keras.serving.tensors import decode_tensor, encode_tensor

TYPES = [np.float32, np.float64, np.int32, np.uint8, np.int16, np.int8, np.int64, np.bool_,
         np.uint32, np.uint64]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(TYPES).flatmap(
        lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_side=4))
    )
)
def test_tensors_are_tensorflows(array):
    """Both directions, beside TensorFlow's own functions."""
    ours = encode_tensor(array, messages.TensorProto())
    theirs = tf.make_tensor_proto(array)
    parsed = type(theirs).FromString(ours.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(parsed), array)
    back = messages.TensorProto.FromString(theirs.SerializeToString())
    found = decode_tensor(back)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_strings_are_tensorflows():
    array = np.array([[b"a", b""], [b"\xff\x00", b"long" * 100]], object)
    ours = encode_tensor(array, messages.TensorProto())
    parsed = tf.make_tensor_proto(["x"]).FromString(ours.SerializeToString())
    assert tf.make_ndarray(parsed).tolist() == array.tolist()
    theirs = tf.make_tensor_proto(array.tolist()).SerializeToString()
    assert decode_tensor(messages.TensorProto.FromString(theirs)).tolist() == array.tolist()


def test_values_that_stand_for_others():
    """One for all, or the last one for the rest; not for as many as would fill the memory."""
    proto = tf.make_tensor_proto(np.zeros((2, 3), np.float32))
    proto.tensor_content = b""
    proto.float_val.extend([1.0, 2.0])
    np.testing.assert_array_equal(decode_tensor(proto), tf.make_ndarray(proto))
    assert decode_tensor(proto).tolist() == [[1, 2, 2], [2, 2, 2]]
    proto.tensor_shape.dim[0].size = 1 << 25
    with pytest.raises(ServingError, match="2 values do not fill"):
        decode_tensor(proto)


@pytest.mark.parametrize("change", ["dtype", "shape", "content", "unknown"])
def test_tensors_that_do_not_add_up(change):
    proto = encode_tensor(np.zeros((2, 2), np.float32), messages.TensorProto())
    if change == "dtype":
        proto.dtype = 8
    elif change == "shape":
        proto.tensor_shape.dim[0].size = 1 << 40
    elif change == "content":
        proto.tensor_content = b"123"
    else:
        proto.tensor_shape.unknown_rank = True
    with pytest.raises(ServingError) as error:
        decode_tensor(proto)
    assert error.value.code == "INVALID_ARGUMENT"


def test_messages_are_tensorflow_servings():
    """The same bytes, field by field, in both directions."""
    ours = messages.PredictRequest()
    ours.model_spec.name, ours.model_spec.signature_name = "npr", "pixels"
    ours.model_spec.version.value = 7
    ours.output_filter.append("logit")
    encode_tensor(np.ones((1, 2), np.uint8), ours.inputs["pixels"])
    theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert (theirs.model_spec.name, theirs.model_spec.version.value) == ("npr", 7)
    assert theirs.model_spec.signature_name == "pixels"
    assert list(theirs.output_filter) == ["logit"]
    assert messages.PredictRequest.FromString(theirs.SerializeToString()) == ours
    status = get_model_status_pb2.GetModelStatusResponse()
    status.model_version_status.add(
        version=3, state=50, status={"error_code": 5, "error_message": "gone"}
    )
    (one,) = messages.GetModelStatusResponse.FromString(
        status.SerializeToString()
    ).model_version_status
    assert (one.version, one.state) == (3, 50)
    assert (one.status.error_code, one.status.error_message) == (5, "gone")
    for name in ("PredictRequest", "PredictResponse"):
        check_fields(getattr(messages, name), getattr(predict_pb2, name))
    check_fields(messages.GetModelMetadataResponse, get_model_metadata_pb2.GetModelMetadataResponse)


def check_fields(ours, theirs):
    """Every field that ours has is one of theirs, with its number."""
    known = {f.name: f for f in theirs.DESCRIPTOR.fields}
    for field in ours.DESCRIPTOR.fields:
        assert known[field.name].number == field.number
        assert known[field.name].is_repeated == field.is_repeated
    spec = {
        f.name: f.number for f in theirs.DESCRIPTOR.fields_by_name["model_spec"].message_type.fields
    }
    own = ours.DESCRIPTOR.fields_by_name["model_spec"].message_type.fields
    assert {f.name: f.number for f in own} == spec
