"""Requests to a server, as many as it bears or so many a second: a process of its own.

    python -m npr_keras.bench.load URL FOLDER COUNT CONCURRENCY RATE

sends the images in a folder, one a request, and prints what came of it as JSON. It knows the light
messages only, so that the machine is left to the server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import grpc
import numpy as np

from npr_keras.client.address import Address
from npr_keras.serving import messages
from npr_keras.serving.tensors import encode_tensor


async def send(
    url: str, images: list[bytes], count: int, concurrency: int, rate: float
) -> dict[str, object]:
    """Sends requests.

    Args:
        url: A gRPC address.
        images: Sent in turn.
        count: Requests.
        concurrency: Requests that are under way at a time, at most.
        rate: Requests a second, whatever becomes of them; 0: as soon as others are answered.

    Returns:
        Dict: "seconds", "ok", "failed" (dict from code to count), and "latency", the seconds of
        those that were answered.
    """
    address = Address.parse(url)
    bodies = [_request(address, image) for image in images]
    free = asyncio.Semaphore(concurrency)
    latency: list[float] = []
    failed: dict[str, int] = {}
    async with grpc.aio.insecure_channel(address.server) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

        async def one(body):
            sent = time.perf_counter()
            try:
                await call(body, timeout=60)
                latency.append(time.perf_counter() - sent)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                failed[code] = failed.get(code, 0) + 1
            finally:
                free.release()

        await call(bodies[0], timeout=60)
        begun, tasks = time.perf_counter(), []
        for i in range(count):
            if rate:
                await asyncio.sleep(max(0.0, begun + i / rate - time.perf_counter()))
            await free.acquire()
            tasks.append(asyncio.create_task(one(bodies[i % len(bodies)])))
        await asyncio.gather(*tasks)
        seconds = time.perf_counter() - begun
    return {"seconds": seconds, "ok": len(latency), "failed": failed, "latency": latency}


def _request(address: Address, image: bytes) -> bytes:
    request = messages.PredictRequest()
    request.model_spec.name = address.name
    images = np.empty(1, object)
    images[0] = image
    encode_tensor(images, request.inputs["images"])
    return request.SerializeToString()


def main(url: str, folder: str, count: str, concurrency: str, rate: str) -> None:
    """See above."""
    images = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    found = asyncio.run(send(url, images, int(count), int(concurrency), float(rate)))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
