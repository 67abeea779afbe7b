"""Trains the digits model and writes model.onnx and test-set.json beside this file.

    python3 -m venv .venv && .venv/bin/pip install -r models/digits/requirements.txt
    .venv/bin/python models/digits/train.py

A network of one hidden layer learns three quarters of the UCI handwritten digits (the copy that
scikit-learn ships); the last quarter is never seen in training and becomes the test set. The pixels stay
0..16 in the test set: the worker scales them by 1/16 (model.json), as the training does here.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

FOLDER = Path(__file__).parent
SEED = 17
HIDDEN = 128

pixels, labels = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(
    pixels, labels, test_size=0.25, stratify=labels, random_state=SEED
)

network = MLPClassifier(hidden_layer_sizes=(HIDDEN,), alpha=1e-2, max_iter=400, random_state=SEED)
network.fit((train_x / 16).astype(np.float32), train_y)

weights = {}
for layer, (kernel, bias) in enumerate(zip(network.coefs_, network.intercepts_), start=1):
    weights[f"kernel{layer}"] = kernel.astype(np.float32)
    weights[f"bias{layer}"] = bias.astype(np.float32)

graph = helper.make_graph(
    [
        helper.make_node("Gemm", ["image", "kernel1", "bias1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "kernel2", "bias2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ],
    "digits",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 64])],
    [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
    [numpy_helper.from_array(value, name) for name, value in weights.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
model.doc_string = "Handwritten digits, 8x8 pixels scaled to 0..1, ten probabilities."
onnx.checker.check_model(model, full_check=True)
onnx.save(model, FOLDER / "model.onnx")

test_set = {"images": test_x.astype(int).tolist(), "labels": test_y.tolist()}
(FOLDER / "test-set.json").write_text(json.dumps(test_set, separators=(",", ":")) + "\n")

session = InferenceSession(FOLDER / "model.onnx", providers=["CPUExecutionProvider"])
(probabilities,) = session.run(None, {"image": (test_x / 16).astype(np.float32)})
right = int((probabilities.argmax(axis=1) == test_y).sum())
size = (FOLDER / "model.onnx").stat().st_size
print(f"held out: {right} of {len(test_y)} right ({right / len(test_y):.2%}); model.onnx {size:,} bytes")
