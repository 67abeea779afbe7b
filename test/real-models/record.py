"""Records what ONNX Runtime for Python gives for 50 requests to each model, alone: `record.py <folder>`.

<folder>/<model>/<model>/model.onnx is the model, in a MODELS_DIR of its own; recording.json has the names, datatypes and
shapes of each request's inputs and outputs, and recording.bin their bytes, one after the other.
"""

import json
import logging
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np
import onnxruntime as ort

from inputs import Inputs
from models import MODELS, package

REQUESTS = 50
DATATYPES = {"float32": "FP32", "int64": "INT64", "int32": "INT32", "bool": "BOOL"}


def record(folder, make_file, make_request, inputs):
    file = folder / folder.name / "model.onnx"
    file.parent.mkdir(parents=True)
    make_file(file)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    exchanges = []
    with (folder / "recording.bin").open("wb") as binary:

        def write(name, array):
            array = np.ascontiguousarray(array) if array.ndim else array
            binary.write(array.tobytes())
            return {"name": name, "datatype": DATATYPES[array.dtype.name], "shape": list(array.shape), "bytes": array.nbytes}

        for index in range(REQUESTS):
            request = make_request(inputs, index)
            answer = session.run(names, request)
            exchanges.append(
                {
                    "inputs": [write(*tensor) for tensor in request.items()],
                    "outputs": [write(*tensor) for tensor in zip(names, answer)],
                }
            )
    (folder / "recording.json").write_text(json.dumps(exchanges))


def main(folder):
    ort.set_default_logger_severity(4)
    logging.disable(logging.WARNING)  # quantisation recommends a step before it, each time
    shutil.rmtree(folder, ignore_errors=True)
    photograph = package("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    for name, make_file, make_request in MODELS:
        print(f"  records {name}", flush=True)
        record(folder / name, make_file, make_request, Inputs(zlib.crc32(name.encode()), photograph))


main(Path(sys.argv[1]))
