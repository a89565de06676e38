"""Requests that are merged, refused, and told apart."""

import asyncio
import threading

import numpy as np
import pytest

from npr_keras.errors import ServingError
from npr_keras.server.batching import Batcher


class Doubling:
    """Twice what comes in; notes the batches, waits where it is told to, fails for -1."""

    def __init__(self):
        self.batches, self.go = [], threading.Event()
        self.go.set()

    def __call__(self, inputs):
        self.go.wait(10)
        x = inputs["x"]
        self.batches.append(len(x))
        if (x == -1).any():
            raise ServingError("INVALID_ARGUMENT", "no -1")
        return {"y": 2 * x}


def run(work):
    return asyncio.run(asyncio.wait_for(work, 30))


async def answers(batcher, function, inputs, key="f"):
    tasks = [batcher.run((key,), function, {"x": np.asarray(x)}) for x in inputs]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await batcher.close()
    return [f if isinstance(f, Exception) else f["y"].tolist() for f in found]


def test_together_and_each_its_own():
    async def work():
        double = Doubling()
        found = await answers(Batcher(8, 0.02), double, [[1], [2, 3], [4]])
        assert found == [[2], [4, 6], [8]]
        assert double.batches == [4]

    run(work())


def test_large_images_keep_no_small_ones_waiting():
    """While a large one runs, small ones are answered; a second large one waits; too many are refused."""

    async def work():
        large, small, behind = Doubling(), Doubling(), []
        large.go.clear()
        batcher = Batcher(4, 0.0, after_large=lambda: behind.append(1))
        x = {"x": np.array([1, 2])}
        waiting = [
            asyncio.create_task(batcher.run(("large", i), large, x, is_large=True))
            for i in range(16)
        ]
        await asyncio.sleep(0.05)
        assert (await batcher.run(("small",), small, x))["y"].tolist() == [2, 4]
        assert large.batches == []
        with pytest.raises(ServingError, match="16 large images are waiting"):
            await batcher.run(("large", 99), large, x, is_large=True)
        large.go.set()
        assert [(await one)["y"].tolist() for one in waiting] == [[2, 4]] * 16
        assert large.batches == [1] * 32 == behind  # each alone
        await batcher.close()

    run(work())


def test_a_large_request_starves_nobody():
    """A small one that comes while a large one runs is answered between its parts."""

    async def work():
        double, order = Doubling(), []
        batcher = Batcher(4, 0.0)

        async def ask(name, x):
            found = await batcher.run(("f",), double, {"x": np.asarray(x)})
            order.append(name)
            return found["y"].tolist()

        double.go.clear()
        large = asyncio.create_task(ask("large", range(40)))
        await asyncio.sleep(0.05)
        small = asyncio.create_task(ask("small", [7]))
        await asyncio.sleep(0.05)
        double.go.set()
        assert await small == [14] and await large == [2 * i for i in range(40)]
        assert order == ["small", "large"]
        assert batcher.waiting == 0 and batcher.waiting_bytes == 0
        assert max(double.batches) <= 4
        with pytest.raises(ServingError, match="no -1"):
            await ask("wrong", [*range(9), -1, *range(9)])
        await batcher.close()

    run(work())


def test_full_batches_do_not_wait():
    async def work():
        double = Doubling()
        found = await answers(Batcher(4, 100.0), double, [[1, 2], [3, 4]])
        assert found == [[2, 4], [6, 8]]
        assert double.batches == [4]

    run(work())


def test_a_batch_is_never_too_large():
    async def work():
        double = Doubling()
        rows = list(range(11))
        found = await answers(Batcher(4, 0.01), double, [[1, 2, 3], [4, 5], rows])
        assert found == [[2, 4, 6], [8, 10], [2 * x for x in rows]]
        assert max(double.batches) <= 4
        assert sum(double.batches) == 16

    run(work())


def test_one_fault_is_not_the_others():
    async def work():
        double = Doubling()
        first, second, third = await answers(Batcher(8, 0.01), double, [[1], [-1], [3]])
        assert (first, third) == ([2], [6])
        assert isinstance(second, ServingError) and second.code == "INVALID_ARGUMENT"

    run(work())


def test_other_shapes_types_and_functions_apart():
    async def work():
        batcher, one, other = Batcher(8, 0.01), Doubling(), Doubling()
        tasks = [
            batcher.run(("one",), one, {"x": np.ones((1, 2))}),
            batcher.run(("one",), one, {"x": np.ones((1, 2, 1))}),
            batcher.run(("one",), one, {"x": np.ones((1, 2), int)}),
            batcher.run(("other",), other, {"x": np.ones((2, 2))}),
        ]
        found = await asyncio.gather(*tasks)
        assert [f["y"].shape for f in found] == [(1, 2), (1, 2, 1), (1, 2), (2, 2)]
        assert (one.batches, other.batches) == ([1, 1, 1], [2])
        await batcher.close()

    run(work())


def test_the_queue_is_bounded():
    async def work():
        double = Doubling()
        double.go.clear()
        batcher = Batcher(1, 0.0, max_queue=2)
        tasks = []
        for x in range(3):  # one runs, two wait
            tasks.append(asyncio.create_task(batcher.run(("f",), double, {"x": np.array([x])})))
            await asyncio.sleep(0.05)
        with pytest.raises(ServingError, match="queue is full") as error:
            await batcher.run(("f",), double, {"x": np.array([3])})
        assert error.value.code == "RESOURCE_EXHAUSTED"
        double.go.set()
        assert [t["y"].tolist() for t in await asyncio.gather(*tasks)] == [[0], [2], [4]]
        assert batcher.waiting == 0
        await batcher.close()

    run(work())


def test_who_goes_away_is_not_served():
    async def work():
        double = Doubling()
        double.go.clear()
        batcher = Batcher(1, 0.0)
        tasks = []
        for x in range(4):  # one runs, three wait
            tasks.append(asyncio.create_task(batcher.run(("f",), double, {"x": np.array([x])})))
            await asyncio.sleep(0.02)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0.02)
        assert batcher.waiting == 1
        double.go.set()
        assert (await tasks[3])["y"].tolist() == [6]
        assert double.batches == [1, 1]  # those that nobody waits for were not run
        assert (batcher.waiting, batcher.waiting_bytes) == (0, 0)
        # All of a queue may go, and the next one is served as ever.
        gone = asyncio.create_task(batcher.run(("f",), double, {"x": np.array([1])}))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await batcher.run(("f",), double, {"x": np.array([5])}))["y"].tolist() == [10]
        await batcher.close()

    run(work())


def test_a_merge_that_fails(monkeypatch):
    """Not enough memory to put them together: each is run alone."""

    async def work():
        def failing(*args, **options):
            raise MemoryError("merge")

        monkeypatch.setattr(np, "concatenate", failing)
        found = await answers(Batcher(8, 0.01), Doubling(), [[1], [2]])
        assert found == [[2], [4]]

    run(work())


def test_bytes_are_counted(monkeypatch):
    async def work():
        monkeypatch.setattr("npr_keras.server.batching._MOST_MERGED", 100)
        monkeypatch.setattr("npr_keras.server.batching._MOST_WAITING", 150)
        double = Doubling()
        rows = [[1] * 6, [2] * 6, [3]]  # 8 bytes each
        found = await answers(Batcher(32, 0.01), double, rows)
        assert found == [[2] * 6, [4] * 6, [6]]
        assert double.batches == [12, 1]
        double.go.clear()
        batcher = Batcher(1, 0.0)
        tasks = []
        for _ in range(2):
            task = batcher.run(("f",), double, {"x": np.ones(16, int)})
            tasks.append(asyncio.create_task(task))
            await asyncio.sleep(0.02)
        with pytest.raises(ServingError, match="queue is full"):
            await batcher.run(("f",), double, {"x": np.ones(16, int)})
        double.go.set()
        await asyncio.gather(*tasks)
        await batcher.close()

    run(work())


def test_inputs_of_different_sizes_are_refused():
    async def work():
        batcher = Batcher()
        with pytest.raises(ServingError, match="different batch sizes"):
            await batcher.run(("f",), Doubling(), {"x": np.ones(1), "z": np.ones(2)})
        await batcher.close()

    run(work())
