"""Tasks of tasks behind a semaphore, named ones, and coroutines that never suspend."""
import asyncio
from truth import Body, spin


class Index:
    async def cached(self, number):
        with Body("cached"):
            spin(1)
            return number


async def embed(number, gate):
    with Body("embed", True):
        async with gate:
            spin(3)
            await asyncio.sleep(0.02)
        return number


async def search(gate):
    with Body("search", True):
        tasks = [asyncio.ensure_future(embed(number, gate)) for number in range(5)]
        if hasattr(tasks[0], "set_name"):
            tasks[0].set_name("first")
        return await asyncio.gather(*tasks)


async def main():
    with Body("main", True):
        assert await search_twice() == [0, 1, 2, 3, 4]
        index = Index()
        assert sum([await index.cached(n) for n in range(20)]) == 190


async def search_twice():
    task = asyncio.ensure_future(search(asyncio.Semaphore(2)))
    return await task


asyncio.run(main())
