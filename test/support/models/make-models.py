"""Writes the tiny models of the end-to-end tests beside this file: `python make-models.py` (needs onnx)."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

FOLDER = Path(__file__).parent


def save(name, nodes, inputs, outputs, constants=None):
    tensors = [numpy_helper.from_array(value, key) for key, value in (constants or {}).items()]
    value = lambda spec: helper.make_tensor_value_info(*spec)
    graph = helper.make_graph(nodes, name, list(map(value, inputs)), list(map(value, outputs)), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (FOLDER / name).mkdir(exist_ok=True)
    onnx.save(model, FOLDER / name / "model.onnx")


# A table of 10 squares: a row whose index is not in 0..9 fails in the runtime, and fails its whole batch.
save(
    "lookup",
    [helper.make_node("Gather", ["squares", "index"], ["square"], axis=0)],
    [("index", TensorProto.INT64, ["batch", 1])],
    [("square", TensorProto.INT64, ["batch", 1])],
    {"squares": np.arange(10, dtype=np.int64) ** 2},
)

# Two inputs, two outputs, of different datatypes.
save(
    "arithmetic",
    [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Greater", ["a", "b"], ["greater"]),
    ],
    [("a", TensorProto.DOUBLE, ["batch", 2]), ("b", TensorProto.DOUBLE, ["batch", 2])],
    [("sum", TensorProto.DOUBLE, ["batch", 2]), ("greater", TensorProto.BOOL, ["batch", 2])],
)

# No batch dimension, and strings.
save(
    "echo",
    [helper.make_node("Identity", ["text"], ["same"])],
    [("text", TensorProto.STRING, [2])],
    [("same", TensorProto.STRING, [2])],
)

# Rows of any length: only rows of one length can share a batch.
save(
    "total",
    [helper.make_node("ReduceSum", ["values", "axis"], ["total"], keepdims=1)],
    [("values", TensorProto.FLOAT, ["batch", "length"])],
    [("total", TensorProto.FLOAT, ["batch", 1])],
    {"axis": np.array([1], dtype=np.int64)},
)
