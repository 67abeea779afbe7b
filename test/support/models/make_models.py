"""Makes the small models of the end-to-end tests: `python make_models.py`, with onnx (1.23) installed.

The tests serve this folder as MODELS_DIR, and `slow-models` and `steep-models` beside it. No model has a model.json: each
is served as its file says.
"""

from pathlib import Path

from onnx import TensorProto as T, checker, helper, save

HERE = Path(__file__).parent


def value(name, datatype, *shape):
    return helper.make_tensor_value_info(name, datatype, shape)


def write(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model, full_check=True)
    target = HERE / path / "model.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    save(model, target)


# Ten squares, looked up by index: an index of 10 or more fails at run time, and with it the whole run.
squares = helper.make_tensor("squares", T.FLOAT, [10], [float(i * i) for i in range(10)])
write(
    "lookup",
    [helper.make_node("Gather", ["squares", "index"], ["square"], axis=0)],
    [value("index", T.INT64, "batch", 1)],
    [value("square", T.FLOAT, "batch", 1)],
    [squares],
)

# Two inputs, two outputs.
write(
    "pair",
    [
        helper.make_node("Sub", ["left", "right"], ["difference"]),
        helper.make_node("Greater", ["left", "right"], ["is_greater"]),
    ],
    [value("left", T.FLOAT, "batch", 2), value("right", T.FLOAT, "batch", 2)],
    [value("difference", T.FLOAT, "batch", 2), value("is_greater", T.BOOL, "batch", 2)],
)

# Every datatype in and out, unchanged.
DATATYPES = {
    "bool": T.BOOL,
    "uint8": T.UINT8,
    "uint16": T.UINT16,
    "uint32": T.UINT32,
    "uint64": T.UINT64,
    "int8": T.INT8,
    "int16": T.INT16,
    "int32": T.INT32,
    "int64": T.INT64,
    "fp32": T.FLOAT,
    "fp64": T.DOUBLE,
    "bytes": T.STRING,
}
write(
    "echo",
    [helper.make_node("Identity", [name], [f"{name}_out"]) for name in DATATYPES],
    [value(name, datatype, "batch", 2) for name, datatype in DATATYPES.items()],
    [value(f"{name}_out", datatype, "batch", 2) for name, datatype in DATATYPES.items()],
)

# No batch dimension: a whole request is one input.
write(
    "fixed",
    [helper.make_node("ReduceSum", ["matrix", "axes"], ["sums"], keepdims=0)],
    [value("matrix", T.FLOAT, 2, 3)],
    [value("sums", T.FLOAT, 2)],
    [helper.make_tensor("axes", T.INT64, [1], [1])],
)

# A row of any length, whose mean is taken.
write(
    "mean",
    [helper.make_node("ReduceMean", ["values"], ["mean"], axes=[1], keepdims=1)],
    [value("values", T.FLOAT, "batch", "length")],
    [value("mean", T.FLOAT, "batch", 1)],
)

# Versions that tell themselves: 10 comes after 9.
for version in (9, 10):
    write(
        f"versioned/{version}",
        [helper.make_node("Add", ["x", "version"], ["y"])],
        [value("x", T.FLOAT, "batch", 1)],
        [value("y", T.FLOAT, "batch", 1)],
        [helper.make_tensor("version", T.FLOAT, [1], [float(version)])],
    )

# As slow as a real convolution (some 15 ms a row), in a small file: gives back its input. Weights
# that are all one over their number leave a picture of one colour as it is.
SIZE, CHANNELS, KERNEL, LAYERS = 96, 32, 5, 6
weight = 1 / (CHANNELS * KERNEL * KERNEL)
shape = [CHANNELS, CHANNELS, KERNEL, KERNEL]
write(
    "../slow-models/slow",
    [
        helper.make_node("ConstantOfShape", ["kernel_shape"], ["kernel"], value=helper.make_tensor("w", T.FLOAT, [1], [weight])),
        helper.make_node("ConstantOfShape", ["picture_shape"], ["black"]),
        helper.make_node("Reshape", ["x", "pixel_shape"], ["pixel"]),
        helper.make_node("Add", ["pixel", "black"], ["layer0"]),
        *(
            helper.make_node("Conv", [f"layer{layer}", "kernel"], [f"layer{layer + 1}"])
            for layer in range(LAYERS)
        ),
        helper.make_node("ReduceMean", [f"layer{LAYERS}"], ["y"], axes=[1, 2, 3], keepdims=0),
    ],
    [value("x", T.FLOAT, "batch", 1)],
    [value("y", T.FLOAT, "batch")],
    [
        helper.make_tensor("kernel_shape", T.INT64, [4], shape),
        helper.make_tensor("picture_shape", T.INT64, [4], [1, CHANNELS, SIZE, SIZE]),
        helper.make_tensor("pixel_shape", T.INT64, [4], [-1, 1, 1, 1]),
    ],
)

# A row takes the longer the more numbers it has, by their third power: a short one no time, one of 2500 about a second.
# Gives their sum.
write(
    "../steep-models/steep",
    [
        helper.make_node("Unsqueeze", ["x", "second"], ["column"]),
        helper.make_node("Unsqueeze", ["x", "first"], ["line"]),
        helper.make_node("MatMul", ["column", "line"], ["power1"]),
        *(helper.make_node("MatMul", [f"power{n}", "power1"], [f"power{n + 1}"]) for n in range(1, 4)),
        helper.make_node("ReduceMean", ["power4"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("ReduceSum", ["x", "first"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "nothing"], ["y"]),
    ],
    [value("x", T.FLOAT, "batch", "length")],
    [value("y", T.FLOAT, "batch")],
    [
        helper.make_tensor("first", T.INT64, [1], [1]),
        helper.make_tensor("second", T.INT64, [1], [2]),
        helper.make_tensor("zero", T.FLOAT, [], [0.0]),
    ],
)
