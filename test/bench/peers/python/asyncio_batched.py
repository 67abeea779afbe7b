"""asyncio as one would write it today: aio-pika on uvloop, a task per message, rows inferred in batches."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aio_pika
import numpy as np
import onnxruntime as ort
import orjson
import uvloop

MODEL = os.environ["DEFAULT_MODEL"]
FOLDER = Path(os.environ["MODELS_DIR"]) / MODEL
IO_DELAY_S = int(os.environ["PREPROCESS_IO_DELAY_MS"]) / 1000
PREFETCH = int(os.environ["PREFETCH"])
BATCH_MAX_SIZE = int(os.environ["BATCH_MAX_SIZE"])
BATCH_MAX_WAIT_S = int(os.environ["BATCH_MAX_WAIT_MS"]) / 1000

described = FOLDER / "model.json"
settings = json.loads(described.read_bytes()) if described.exists() else {}
labels = settings.get("labels")
scale = np.float32(settings.get("preprocess", {}).get("scale", 1))


class Batcher:
    """Gathers the rows that wait and infers them together."""

    def __init__(self):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(
            FOLDER / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        [self.input], [self.output] = self.session.get_inputs(), self.session.get_outputs()
        self.row_shape = self.input.shape[1:]
        self.row_size = int(np.prod(self.row_shape))
        self.loop = asyncio.get_running_loop()
        self.on_its_way = 0
        self.waiting = []
        self.timer = None
        self.batches = self.rows = 0

    def infer(self, data):
        done = self.loop.create_future()
        self.waiting.append((data, done))
        if len(self.waiting) >= BATCH_MAX_SIZE:
            self.run()
        elif self.timer is None:
            # With nothing on its way: at the end of this turn of the loop, which may bring more.
            wait = BATCH_MAX_WAIT_S if self.on_its_way else 0
            self.timer = self.loop.call_later(wait, self.run)
        return done

    def run(self):
        self.timer.cancel()
        self.timer = None
        batch, self.waiting = self.waiting, []
        rows = np.array([data for data, _ in batch], dtype=np.float32) * scale
        rows = rows.reshape(len(batch), *self.row_shape)
        # Too short a call to be worth a thread.
        [results] = self.session.run([self.output.name], {self.input.name: rows})
        self.batches += 1
        self.rows += len(batch)
        shape = [1, *results.shape[1:]]
        best = results.reshape(len(batch), -1).argmax(axis=1).tolist()
        for (_, done), result, at in zip(batch, results, best):
            done.set_result((shape, result.ravel(), at))


async def main():
    batcher = Batcher()
    url = os.environ["RABBITMQ_URL"]
    requests = await (await aio_pika.connect(url)).channel()
    results = await (await aio_pika.connect(url)).channel(publisher_confirms=True)
    await requests.set_qos(prefetch_count=PREFETCH)
    # `ensure=False`: declares nothing.
    queue = await requests.get_queue(os.environ["REQUEST_QUEUE"], ensure=False)

    async def on_message(message):
        batcher.on_its_way += 1
        try:
            request = orjson.loads(message.body)
            id, data = request["id"], request["data"]
            if len(data) != batcher.row_size:
                raise ValueError(f"data has {len(data)} numbers, not {batcher.row_size}")
        except (ValueError, KeyError, TypeError) as error:
            print(f"rejected: {error}", file=sys.stderr)
            batcher.on_its_way -= 1
            return await message.reject()
        if IO_DELAY_S:
            await asyncio.sleep(IO_DELAY_S)
        batcher.on_its_way -= 1
        shape, row, best = await batcher.infer(data)
        output = {"name": batcher.output.name, "shape": shape, "datatype": "FP32", "data": row}
        body = {"model_name": MODEL, "model_version": "1", "id": id, "outputs": [output]}
        if labels:
            body["parameters"] = {"label": [labels[best]], "score": [row[best]]}
        answer = aio_pika.Message(
            orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            type="inference.result",
            correlation_id=message.correlation_id,
            message_id=f"{message.message_id}.answer",
        )
        # Returns when confirmed; raises if the message is returned or refused.
        await results.default_exchange.publish(answer, message.reply_to, mandatory=True)
        await message.ack()

    await queue.consume(on_message)
    print("consuming", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    print(json.dumps({"batches": batcher.batches, "rows": batcher.rows}), flush=True)
    os._exit(0)


uvloop.run(main())
