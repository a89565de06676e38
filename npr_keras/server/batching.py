"""Requests that arrive together are run together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from npr_keras.errors import ServingError
from npr_keras.serving.codes import OTHER_SHAPES

# Bytes that are run together, unless one image alone is more: pixels of 64 pictures of 224 x 224; a
# network takes a hundred times that.
_MOST_MERGED = 10 << 20
_MOST_WAITING = 256 << 20  # bytes of all that wait, unless one request alone is more
_MOST_LARGE = 16  # large images that wait


@dataclass(eq=False)
class _Task:
    inputs: dict[str, np.ndarray]
    size: int
    bytes: int
    answer: asyncio.Future = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Batcher:
    """Merges requests on the first dimension, as TensorFlow Serving does with `--enable_batching`.

    What runs the same function with the same types waits in one queue. Where further dimensions
    differ within a batch, all of it is refused, as there. A batch
    begins when it is full, when its first request has waited for `timeout`, or as soon as nothing
    else runs after that. Where a merged batch fails, each request is run alone: one's fault is
    not the others'. Large images go one by one, on a thread of their own: small ones do not wait
    for them, and no two of them fill the memory.

    Args:
        max_batch: Rows in a batch, at most; a request of more is run in parts, others between them.
        timeout: Seconds that a request waits for others.
        max_queue: Requests that wait, at most; one more is refused.
        threads: Batches of small images that run at a time.
        after_large: Called behind each large image, on its thread.
        observe: Called with the rows of each batch that is run.
    """

    def __init__(
        self,
        max_batch: int = 32,
        timeout: float = 0.005,
        max_queue: int = 256,
        threads: int = 1,
        observe: Callable[[int], None] | None = None,
        after_large: Callable[[], None] = lambda: None,
    ):
        self.max_batch, self.timeout, self.max_queue = max_batch, timeout, max_queue
        self.waiting = self.waiting_bytes = 0
        self._served: set[tuple] = set()
        self._queues: dict[tuple, deque[_Task]] = defaultdict(deque)
        # By whether they are for large images.
        self._pools = {
            is_large: ThreadPoolExecutor(count, thread_name_prefix=f"batch-{is_large}")
            for is_large, count in ((False, threads), (True, 1))
        }
        self._free = {False: asyncio.Semaphore(threads), True: asyncio.Semaphore(1)}
        self._large_waiting = 0
        self._after_large = after_large
        self._observe = observe or (lambda rows: None)
        self._running: set[asyncio.Task] = set()

    async def run(
        self,
        key: tuple,
        function: Callable[[Mapping], dict],
        inputs: dict[str, np.ndarray],
        is_large: bool = False,
    ) -> dict[str, np.ndarray]:
        """Runs a function of arrays, together with what has the same key and shapes.

        Args:
            key: Stands for the function.
            function: From inputs to outputs, all with as many rows.
            inputs: Arrays with as many rows.
            is_large: Whether one of the images in them is so large that it goes alone.

        Raises:
            ServingError: RESOURCE_EXHAUSTED where too many wait; what the function raises.
        """
        sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
        if len(sizes) != 1:
            raise ServingError(
                "INVALID_ARGUMENT", f"Inputs of different batch sizes: {sorted(sizes)}"
            )
        size, held = sizes.pop(), sum(map(_bytes, inputs.values()))
        self._admit(held)
        each = max(1, held // max(1, size))  # bytes of a row
        most = 1 if is_large else max(1, min(self.max_batch, _MOST_MERGED // each))
        if is_large and self._large_waiting >= _MOST_LARGE:
            raise _full(self._large_waiting, "large images")
        key = (is_large, *key)
        if size <= most:
            return await self._queued(key, function, inputs, size)
        # In parts, each in its turn: what comes meanwhile does not wait for all of it.
        outputs: list[dict[str, np.ndarray]] = []
        self.waiting_bytes += held
        try:
            for begin in range(0, size, most):
                part = {k: v[begin : begin + most] for k, v in inputs.items()}
                rows = min(size - begin, most)
                outputs.append(await self._queued(key, function, part, rows))
        finally:
            self.waiting_bytes -= held
        return {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}

    async def _queued(self, key, function, inputs, size) -> dict[str, np.ndarray]:
        """Runs what fits into one batch."""
        task = _Task(inputs, size, sum(map(_bytes, inputs.values())))
        is_large = key[0]
        types = tuple((k, v.dtype.str, v.ndim) for k, v in sorted(inputs.items()))
        queue = self._queues[(key, types)]
        queue.append(task)
        self._wait(task, 1)
        if (key, types) not in self._served:
            self._served.add((key, types))
            self._start(self._serve((key, types), function))
        self._large_waiting += is_large
        try:
            return await task.answer
        except asyncio.CancelledError:  # who asked is gone: what has not begun is not begun
            if task in queue:
                queue.remove(task)
                self._wait(task, -1)
            raise
        finally:
            self._large_waiting -= is_large

    async def alone(self, function: Callable[[], dict]) -> dict[str, np.ndarray]:
        """Runs what cannot be merged, in its turn."""
        self._admit(0)
        self.waiting += 1
        try:
            await self._free[False].acquire()
        finally:
            self.waiting -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pools[False], function)
        finally:
            self._free[False].release()

    async def close(self) -> None:
        """Waits for what was accepted, and ends."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        for pool in self._pools.values():
            pool.shutdown()

    def _admit(self, size: int) -> None:
        if self.waiting >= self.max_queue or (
            self.waiting and self.waiting_bytes + size > _MOST_WAITING
        ):
            raise _full(self.waiting, "requests")

    def _wait(self, task: _Task, sign: int) -> None:
        self.waiting += sign
        self.waiting_bytes += sign * task.bytes

    def _start(self, work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, key: tuple, function) -> None:
        """One queue, until it is empty."""
        queue, is_large = self._queues[key], key[0][0]
        try:
            while queue:
                few = not is_large and sum(task.size for task in queue) < self.max_batch
                if few and self.timeout:
                    await asyncio.sleep(self.timeout)
                await self._free[is_large].acquire()  # more may have come while another batch ran
                batch = self._take(queue, 1 if is_large else self.max_batch)
                if batch:
                    self._start(self._run(batch, function, is_large))
                else:
                    self._free[is_large].release()
        finally:
            self._served.discard(key)
            del self._queues[key]

    def _take(self, queue: deque[_Task], most: int) -> list[_Task]:
        batch: list[_Task] = []
        rows = size = 0
        while queue:
            rows, size = rows + queue[0].size, size + queue[0].bytes
            if batch and (rows > most or size > _MOST_MERGED):
                break
            batch.append(queue.popleft())
            self._wait(batch[-1], -1)
        return batch

    async def _run(self, batch: list[_Task], function, is_large: bool) -> None:
        loop, pool = asyncio.get_running_loop(), self._pools[is_large]
        try:
            answers = await loop.run_in_executor(pool, self._answers, batch, function)
            if is_large:
                with contextlib.suppress(Exception):  # the answers are there
                    await loop.run_in_executor(pool, self._after_large)
        except Exception as error:
            answers = [error] * len(batch)
        finally:
            self._free[is_large].release()
        for task, answer in zip(batch, answers, strict=True):
            if task.answer.done():  # its client is gone
                continue
            if isinstance(answer, Exception):
                task.answer.set_exception(answer)
            else:
                task.answer.set_result(answer)

    def _answers(self, batch: list[_Task], function) -> list:
        names = list(batch[0].inputs)
        if len(batch) > 1:
            if other := _other_shapes(batch):
                return [other] * len(batch)
            try:
                merged = {n: np.concatenate([task.inputs[n] for task in batch]) for n in names}
                outputs = self._in_parts(merged, sum(task.size for task in batch), function)
            except Exception:
                return [self._alone(task, function) for task in batch]
            ends = np.cumsum([task.size for task in batch])
            return [
                {name: array[end - task.size : end] for name, array in outputs.items()}
                for task, end in zip(batch, ends, strict=True)
            ]
        return [self._alone(batch[0], function)]

    def _alone(self, task: _Task, function):
        try:
            return self._in_parts(task.inputs, task.size, function)
        except Exception as error:
            return error

    def _in_parts(self, inputs: dict, rows: int, function) -> dict[str, np.ndarray]:
        parts = []
        for begin in range(0, max(rows, 1), self.max_batch):
            part = {k: v[begin : begin + self.max_batch] for k, v in inputs.items()}
            self._observe(min(rows - begin, self.max_batch))
            outputs = function(part)
            count = min(rows - begin, self.max_batch)
            if any(not v.ndim or v.shape[0] != count for v in outputs.values()):
                raise ServingError("INTERNAL", "An output has other rows than the inputs.")
            parts.append(outputs)
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _full(waiting: int, what: str) -> ServingError:
    return ServingError(
        "RESOURCE_EXHAUSTED", f"The batch scheduling queue is full: {waiting} {what} are waiting."
    )


def _other_shapes(batch: list[_Task]) -> ServingError | None:
    """TensorFlow Serving's refusal of a batch whose rows differ in shape."""
    for name in batch[0].inputs:
        if len({task.inputs[name].shape[1:] for task in batch}) > 1:
            return ServingError(
                "FAILED_PRECONDITION",
                f"Tensors with name '{name}' from different tasks {OTHER_SHAPES}. Set "
                "pad_variable_length_inputs to true, or ensure that all tensors with the same name have "
                "equal dimensions starting with the first dim.",
            )
    return None


def _bytes(array: np.ndarray) -> int:
    return sum(map(len, array.flat)) if array.dtype.kind == "O" else array.nbytes
