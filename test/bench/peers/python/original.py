"""The original way: pika's BlockingConnection, one message at a time from start to end."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pika

MODEL = os.environ["DEFAULT_MODEL"]
FOLDER = Path(os.environ["MODELS_DIR"]) / MODEL
IO_DELAY_S = int(os.environ["PREPROCESS_IO_DELAY_MS"]) / 1000

described = FOLDER / "model.json"
settings = json.loads(described.read_text()) if described.exists() else {}
labels = settings.get("labels")
scale = np.float32(settings.get("preprocess", {}).get("scale", 1))

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(FOLDER / "model.onnx", options, providers=["CPUExecutionProvider"])
[model_input], [model_output] = session.get_inputs(), session.get_outputs()
row_shape = model_input.shape[1:]
row_size = int(np.prod(row_shape))

rows = 0


def stop(*_):
    print(json.dumps({"batches": rows, "rows": rows}), flush=True)
    os._exit(0)


def answer(request):
    global rows
    data = request["data"]
    if len(data) != row_size:
        raise ValueError(f"data has {len(data)} numbers, not {row_size}")
    if IO_DELAY_S:
        time.sleep(IO_DELAY_S)
    row = (np.array(data, dtype=np.float32) * scale).reshape(1, *row_shape)
    [result] = session.run([model_output.name], {model_input.name: row})
    rows += 1
    scores = result.ravel().tolist()
    output = {
        "name": model_output.name,
        "shape": list(result.shape),
        "datatype": "FP32",
        "data": scores,
    }
    body = {"model_name": MODEL, "model_version": "1", "id": request["id"], "outputs": [output]}
    if labels:
        best = int(np.argmax(result))
        body["parameters"] = {"label": [labels[best]], "score": [scores[best]]}
    return body


def on_message(channel, method, properties, body):
    try:
        result = answer(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        print(f"rejected: {error}", file=sys.stderr)
        channel.basic_reject(method.delivery_tag, requeue=False)
        return
    # Waits for the confirm; raises if the message is returned or refused.
    results.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        body=json.dumps(result, separators=(",", ":")),
        properties=pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            type="inference.result",
            correlation_id=properties.correlation_id,
            message_id=f"{properties.message_id}.answer",
        ),
        mandatory=True,
    )
    channel.basic_ack(method.delivery_tag)


signal.signal(signal.SIGTERM, stop)
url = pika.URLParameters(os.environ["RABBITMQ_URL"])
# The publishing connection is only served while it publishes, so it must not have to beat.
results_url = pika.URLParameters(os.environ["RABBITMQ_URL"])
results_url.heartbeat = 0
results = pika.BlockingConnection(results_url).channel()
results.confirm_delivery()
requests = pika.BlockingConnection(url).channel()
requests.basic_qos(prefetch_count=1)
requests.basic_consume(os.environ["REQUEST_QUEUE"], on_message)
print("consuming", flush=True)
requests.start_consuming()
