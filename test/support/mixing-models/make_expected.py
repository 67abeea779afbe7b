"""Writes expected.json: requests to each model of this folder, and what ONNX Runtime for Python gives for each alone.

Requests are random, from a fixed seed, and all different. Ranges are chosen so that a scale that is taken from several
requests at once shows in the answers.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
DATATYPES = {"float32": "FP32", "int64": "INT64", "bool": "BOOL", "object": "BYTES"}
REQUESTS = 5
random = np.random.default_rng(2026)
digits = load_digits().data.astype(np.float32) / 16


def normal(*shape, scale=1.0):
    return (random.normal(size=shape) * scale).astype(np.float32)


def rows(index):
    """1, 1, 2, 3, 1: most requests have one row."""
    return [1, 1, 2, 3, 1][index % 5]


def boxes(index):
    """Boxes of which several are on top of each other."""
    count, batch = 4 + index, 2 if index == 3 else 1
    corners = random.integers(0, 3, (batch, count, 2)) + random.uniform(0, 0.2, (batch, count, 2))
    found = np.concatenate([corners, corners + 1], axis=2).astype(np.float32)
    return {"boxes": found, "scores": random.uniform(0.1, 1, (batch, 1, count)).astype(np.float32)}


def resize(index):
    height, width = 2 + index, 3 + index
    return {"x": normal(1, 1, height, width), "sizes": np.array([1, 1, 2 * height, width + 1], np.int64)}


# A request to each, by its number. Where the scale of all counts, each request has a size of its own.
MAKERS = {
    "bool-any": lambda i: {"x": random.integers(0, 2, (rows(i), 2)).astype(bool) if i else np.zeros((1, 2), bool)},
    "clipped-dynamic": lambda i: {"x": random.uniform(0, [1, 0.3, 0.05, 0.7, 0.01][i], (rows(i), 2)).astype(np.float32)},
    "cumsum0": lambda i: {"x": normal([4, 1, 7, 2, 3][i], 3)},
    "dynamic-digits": lambda i: {"image": digits[[i * 7 + row for row in range(rows(i))]] * np.float32([1, 0.9, 0.6, 0.8, 1][i])},
    "dynamic-quantised": lambda i: {"x": normal(rows(i), 2, scale=10.0 ** (i - 2))},
    "fixed-label": lambda i: {"x": random.uniform([4, 2, 1, 0], [8, 4, 7, 3], (rows(i), 4)).astype(np.float32)},
    "graph": lambda i: {"nodes": normal([3, 1, 5, 4, 3][i], 4), "edges": normal([5, 2, 5, 1, 7][i], 3)},
    "int-dynamic": lambda i: {"ids": random.integers(0, [16, 4, 9, 2, 6][i], (rows(i), [3, 3, 3, 5, 2][i]))},
    "label-only": lambda i: {"x": normal(rows(i), 4, scale=2)},
    "mean0": lambda i: {"x": normal(rows(i + 2), 3)},
    "misnamed": lambda i: {"x": normal(rows(i), 3)},
    "nms": boxes,
    "nonzero": lambda i: {"x": (normal(rows(i) + 1, 2) * random.integers(0, 2, (rows(i) + 1, 2)) + 0).astype(np.float32)},
    "positional": lambda i: {"x": normal(rows(i), 3)},
    "qdq": lambda i: {"x": normal(rows(i), 4, scale=2)},
    "resize": resize,
    "softmax0": lambda i: {"x": normal([2, 1, 3, 5, 2][i], 3)},
    "text": lambda i: {"x": np.array([[["good", "bad", "fair", "naïve", ""][(i + row) % 5]] for row in range(rows(i))], object)},
    "threshold-mixing": lambda i: {"x": normal(rows(i), 2, scale=[1, 300, 100, 50, 200][i])},
    "time-first": lambda i: {"x": normal([70, 1, 12, 5, 33][i], 1, 6)},
    "vocabulary": lambda i: {"x": random.integers(0, 4, (rows(i), 2))},
}


def tensor(name, array):
    data = [str(element) for element in array.flat] if array.dtype == object else array.ravel().tolist()
    return {"name": name, "shape": list(array.shape), "datatype": DATATYPES[array.dtype.name], "data": data}


def exchanges(name, make):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(HERE / name / "model.onnx", options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for index in range(REQUESTS):
        inputs = make(index)
        outputs = session.run(names, inputs)
        yield {
            "inputs": [tensor(*named) for named in inputs.items()],
            "outputs": [tensor(*named) for named in zip(names, outputs)],
        }


def lines(name, make):
    """One request a line, so that a difference shows."""
    return f' "{name}": [\n' + ",\n".join("  " + json.dumps(exchange, ensure_ascii=False) for exchange in exchanges(name, make)) + "\n ]"


expected = ",\n".join(lines(name, make) for name, make in MAKERS.items())
(HERE / "expected.json").write_text("{\n" + expected + "\n}\n")
