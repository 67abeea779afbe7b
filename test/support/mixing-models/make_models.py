"""Makes small models whose first dimension is, or is not, a batch: `python make_models.py && python make_expected.py`, with
requirements.txt installed.

In a batchable model the rows of a request give the same alone and in the company of others. In all others they do not,
whatever the dimensions are called. No model has a model.json: each is served as its file says.

    batchable    qdq  label-only  vocabulary  misnamed  fixed-label  text

    mixing       softmax0  cumsum0  mean0  positional  bool-any     over the first dimension, whatever the values are
                 threshold-mixing                                   only what is above 100
                 dynamic-quantised  dynamic-digits                  the scale is that of all rows
                 clipped-dynamic  int-dynamic                       likewise, from 0..1 or from token ids
                 time-first  graph                                  the first dimension is time, or the nodes
                 nms  nonzero                                       as many rows come out as are found; some hold row numbers
    no batch     resize                                             and it fails on zeros
"""

from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier
from onnx import TensorProto as T, checker, helper, numpy_helper, save
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from onnxruntime.quantization import quantize_dynamic
from sklearn.datasets import load_iris

HERE = Path(__file__).parent
DIGITS = HERE.parents[2] / "models" / "digits" / "model.onnx"
node = helper.make_node
random = np.random.default_rng(17)


def value(name, datatype, *shape):
    return helper.make_tensor_value_info(name, datatype, shape)


def constant(name, data, datatype=np.float32):
    return numpy_helper.from_array(np.asarray(data, datatype), name)


def weights(name, *shape):
    return constant(name, random.normal(size=shape))


def file_of(name):
    target = HERE / name / "model.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def write(name, nodes, inputs, outputs, initializers=(), domains=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", 20), *(helper.make_opsetid(domain, 3) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    checker.check_model(model, full_check=True)
    save(model, file_of(name))


# Batchable

# Quantised with fixed scales, as static quantisation writes it: 8-bit weights, 32-bit biases, and after the ReLU no zero
# point, so that ONNX Runtime computes the first layer in whole numbers.
LAYERS = [(4, 16), (16, 3)]
SCALES = [0.05, 0.04]
WEIGHT_SCALE = 0.02
write(
    "qdq",
    [
        step
        for layer, (source, target) in enumerate([("x", "hidden"), ("active", "y")])
        for step in (
            node("QuantizeLinear", [source, f"scale{layer}", f"zero{layer}"], [f"quantised{layer}"]),
            node("DequantizeLinear", [f"quantised{layer}", f"scale{layer}", f"zero{layer}"], [f"input{layer}"]),
            node("DequantizeLinear", [f"weights{layer}", "weight_scale", "weight_zero"], [f"kernel{layer}"]),
            node("DequantizeLinear", [f"biases{layer}", f"bias_scale{layer}", "bias_zero"], [f"bias{layer}"]),
            node("Gemm", [f"input{layer}", f"kernel{layer}", f"bias{layer}"], [target]),
            *([node("Relu", ["hidden"], ["active"])] if layer == 0 else []),
        )
    ],
    [value("x", T.FLOAT, "batch", 4)],
    [value("y", T.FLOAT, "batch", 3)],
    [
        constant("zero0", 128, np.uint8),
        constant("zero1", 0, np.uint8),
        constant("weight_scale", WEIGHT_SCALE),
        constant("weight_zero", 0, np.int8),
        constant("bias_zero", 0, np.int32),
        *(constant(f"scale{layer}", scale) for layer, scale in enumerate(SCALES)),
        *(constant(f"bias_scale{layer}", scale * WEIGHT_SCALE) for layer, scale in enumerate(SCALES)),
        *(constant(f"weights{layer}", random.integers(-60, 60, size), np.int8) for layer, size in enumerate(LAYERS)),
        *(constant(f"biases{layer}", random.integers(-999, 999, size[1]), np.int32) for layer, size in enumerate(LAYERS)),
    ],
)

# Only the label comes out. Two of the classes are so near each other that the last bit of a score decides.
scores = random.normal(size=(64, 4)).astype(np.float32)
scores[:, 3] = scores[:, 2] * np.float32(1 + 2**-23)
write(
    "label-only",
    [
        node("Gemm", ["x", "kernel1", "bias1"], ["hidden"]),
        node("Relu", ["hidden"], ["active"]),
        node("Gemm", ["active", "kernel2"], ["scores"]),
        node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ],
    [value("x", T.FLOAT, "batch", 4)],
    [value("label", T.INT64, "batch")],
    [weights("kernel1", 4, 64), weights("bias1", 64), constant("kernel2", scores)],
)

# Four words: an index of 4 or more fails at run time, and with it the whole run.
write(
    "vocabulary",
    [node("Gather", ["table", "x"], ["y"], axis=0)],
    [value("x", T.INT64, "batch", 2)],
    [value("y", T.FLOAT, "batch", 2)],
    [constant("table", [0.5, -1.25, 3, 7.75])],
)

# The first dimensions have different names, and are the same.
write(
    "misnamed",
    [node("Mul", ["x", "two"], ["y"])],
    [value("x", T.FLOAT, "batch_size", 3)],
    [value("y", T.FLOAT, "time", 3)],
    [constant("two", 2)],
)

# The exporter of LightGBM declares one label, whatever the number of rows; as many come out as there are rows.
flowers, kinds = load_iris(return_X_y=True)
trees = LGBMClassifier(n_estimators=5, num_leaves=5, n_jobs=1, random_state=17, verbose=-1).fit(flowers, kinds)
exported = convert_lightgbm(trees, initial_types=[("x", FloatTensorType(["N", 4]))], zipmap=False, target_opset=15)
exported.graph.name = "test"  # else a new one each time, as is the order of the opsets
exported.opset_import.sort(key=lambda opset: opset.domain)
save(exported, file_of("fixed-label"))

# Strings in; strings and numbers out.
write(
    "text",
    [
        node("StringConcat", ["x", "end"], ["shout"]),
        node(
            "LabelEncoder",
            ["x"],
            ["score"],
            domain="ai.onnx.ml",
            keys_strings=["good", "bad", "fair"],
            values_floats=[1.0, -1.0, 0.25],
            default_float=0.0,
        ),
    ],
    [value("x", T.STRING, "batch", 1)],
    [value("shout", T.STRING, "batch", 1), value("score", T.FLOAT, "batch", 1)],
    [helper.make_tensor("end", T.STRING, [1], [b"!"])],
    ["ai.onnx.ml"],
)

# Mixing over the first dimension

write(
    "softmax0",
    [node("Softmax", ["x"], ["y"], axis=0)],
    [value("x", T.FLOAT, "batch", 3)],
    [value("y", T.FLOAT, "batch", 3)],
)

write(
    "cumsum0",
    [node("CumSum", ["x", "axis"], ["y"])],
    [value("x", T.FLOAT, "time", 3)],
    [value("y", T.FLOAT, "time", 3)],
    [constant("axis", 0, np.int64)],
)

write(
    "mean0",
    [node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1), node("Sub", ["x", "mean"], ["y"])],
    [value("x", T.FLOAT, "batch", 3)],
    [value("y", T.FLOAT, "batch", 3)],
    [constant("axes", [0], np.int64)],
)

# Adds to each row what a table has for its place: at most 512 rows.
write(
    "positional",
    [
        node("Shape", ["x"], ["rows"], end=1),
        node("Slice", ["table", "start", "rows"], ["positions"]),
        node("Add", ["x", "positions"], ["y"]),
    ],
    [value("x", T.FLOAT, "batch", 3)],
    [value("y", T.FLOAT, "batch", 3)],
    [weights("table", 512, 3), constant("start", [0], np.int64)],
)

# Is there a true one in the column?
write(
    "bool-any",
    [node("ReduceMax", ["x", "axes"], ["any"], keepdims=1), node("Or", ["x", "any"], ["y"])],
    [value("x", T.BOOL, "batch", 2)],
    [value("y", T.BOOL, "batch", 2)],
    [constant("axes", [0], np.int64)],
)

# Adds what is above 100 in any row: small values do not show it.
write(
    "threshold-mixing",
    [
        node("Sub", ["x", "threshold"], ["above"]),
        node("Relu", ["above"], ["excess"]),
        node("ReduceSum", ["excess", "axes"], ["sum"], keepdims=1),
        node("Add", ["x", "sum"], ["y"]),
    ],
    [value("x", T.FLOAT, "batch", 2)],
    [value("y", T.FLOAT, "batch", 2)],
    [constant("threshold", 100), constant("axes", [0], np.int64)],
)


# Mixing by the scale, which is taken from all values

def quantised(source, target):
    return [
        node("DynamicQuantizeLinear", [source], ["quantised", "scale", "zero"]),
        node("DequantizeLinear", ["quantised", "scale", "zero"], [target]),
    ]


write(
    "dynamic-quantised",
    quantised("x", "y"),
    [value("x", T.FLOAT, "batch", 2)],
    [value("y", T.FLOAT, "batch", 2)],
)

write(
    "clipped-dynamic",
    [node("Clip", ["x", "zero_value", "one"], ["clipped"]), *quantised("clipped", "y")],
    [value("x", T.FLOAT, "batch", 2)],
    [value("y", T.FLOAT, "batch", 2)],
    [constant("zero_value", 0), constant("one", 1)],
)

# Words of very different sizes, so that the scale of one text is not that of another.
words = random.normal(size=(16, 8)) * np.geomspace(0.1, 10, 16)[:, np.newaxis]
write(
    "int-dynamic",
    [
        node("Gather", ["words", "ids"], ["embedded"], axis=0),
        node("DynamicQuantizeLinear", ["embedded"], ["quantised", "scale", "zero"]),
        node("MatMulInteger", ["quantised", "kernel", "zero"], ["product"]),
        node("Cast", ["product"], ["float_product"], to=T.FLOAT),
        node("Mul", ["float_product", "scale"], ["scores"]),
        node("ReduceMean", ["scores", "axes"], ["y"], keepdims=0),
    ],
    [value("ids", T.INT64, "batch", "seq")],
    [value("y", T.FLOAT, "batch", 2)],
    [
        constant("words", words),
        constant("kernel", random.integers(-60, 60, (8, 2)), np.int8),
        constant("axes", [1], np.int64),
    ],
)

quantize_dynamic(DIGITS, file_of("dynamic-digits"))

# The first dimension is something else

# As torch.nn.LSTM is exported: time first, one sequence at a time, and the axis of the directions squeezed away.
write(
    "time-first",
    [
        node("LSTM", ["x", "input_weights", "hidden_weights", "bias"], ["directions", "", ""], hidden_size=8),
        node("Squeeze", ["directions", "axes"], ["y"]),
    ],
    [value("x", T.FLOAT, "seq_len", 1, 6)],
    [value("y", T.FLOAT, "seq_len", 1, 8)],
    [
        weights("input_weights", 1, 32, 6),
        weights("hidden_weights", 1, 32, 8),
        weights("bias", 1, 64),
        constant("axes", [1], np.int64),
    ],
)

write(
    "graph",
    [node("ReduceSum", ["edges"], ["sum"], keepdims=0), node("Add", ["nodes", "sum"], ["y"])],
    [value("nodes", T.FLOAT, "num_nodes", 4), value("edges", T.FLOAT, "num_edges", 3)],
    [value("y", T.FLOAT, "num_nodes", 4)],
)

# As many rows come out as are found, and they say in which row of the input

write(
    "nms",
    [node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["selected"])],
    [value("boxes", T.FLOAT, "batch", "n", 4), value("scores", T.FLOAT, "batch", 1, "n")],
    [value("selected", T.INT64, "num_selected", 3)],
    [constant("most", [100], np.int64), constant("overlap", [0.5]), constant("least", [0.3])],
)

write(
    "nonzero",
    [node("NonZero", ["x"], ["places"]), node("Transpose", ["places"], ["y"], perm=[1, 0])],
    [value("x", T.FLOAT, "batch", 2)],
    [value("y", T.INT64, "num_dets", 2)],
)

# No batch dimension, and zeros are no sizes.
write(
    "resize",
    [node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear")],
    [value("x", T.FLOAT, 1, 1, "h", "w"), value("sizes", T.INT64, 4)],
    [value("y", T.FLOAT, 1, 1, "new_h", "new_w")],
)
