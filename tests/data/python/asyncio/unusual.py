"""Tasks that are made, run and end in ways of their own: as libraries and notebooks do it."""
import asyncio
import collections.abc
import sys
import threading


class Own(asyncio.SelectorEventLoop):
    """A loop that runs by itself, also within another one (as with nest_asyncio)."""

    def run_forever(self):
        before = asyncio._get_running_loop()
        self._thread_id = threading.get_ident()
        asyncio._set_running_loop(self)
        try:
            while not self._stopping:
                self._run_once()
        finally:
            self._stopping, self._thread_id = False, None
            asyncio._set_running_loop(before)


class Passes(collections.abc.Coroutine):
    """No coroutine, and one for a task (as what aiohttp's `session.get` gives)."""

    def __init__(self, inner):
        self.inner = inner

    def send(self, value):
        return self.inner.send(value)

    def throw(self, *error):
        return self.inner.throw(*error)

    def close(self):
        return self.inner.close()

    def __await__(self):
        return self.inner.__await__()


async def inner(n):
    await asyncio.sleep(0.01)
    if n == 2:
        raise ValueError(n)
    return n


async def middle(n):
    return await inner(n)


async def quick():
    return 1


async def within():
    loop = asyncio.get_running_loop()
    other = Own()
    # No loop runs for as long as that.
    asyncio._set_running_loop(None)
    try:
        found = other.run_until_complete(inner(5))
    finally:
        other.close()
        asyncio._set_running_loop(loop)
    await asyncio.sleep(0.001)
    return found


def named(loop, name, coroutine, **how):
    return asyncio.Task(coroutine, loop=loop, name=name, **how)


async def main():
    loop = asyncio.get_running_loop()
    passing = [loop.create_task(Passes(inner(n))) for n in (1, 2, 3)]
    for task in passing:
        task.set_name("passes")
    await asyncio.sleep(0)
    passing[2].cancel()
    print(await asyncio.gather(*passing, return_exceptions=True))
    nested = named(loop, "nested", within())
    print(await nested)
    if sys.version_info >= (3, 12):
        eager = [named(loop, "eager", middle(n), eager_start=True) for n in (1, 2, 3)]
        eager.append(named(loop, "eager", inner(4), eager_start=True))
        eager.append(named(loop, "eager", quick(), eager_start=True))
        eager[2].cancel()
        print(await asyncio.gather(*eager, return_exceptions=True))


loop = Own()
loop.run_until_complete(main())
loop.close()
