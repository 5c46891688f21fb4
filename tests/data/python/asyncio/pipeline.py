"""Stages one after the other, one of them with two sleeps at once."""
import asyncio
from truth import Body, spin


async def fetch():
    with Body("fetch"):
        await asyncio.sleep(0.05)


async def prepare(text):
    """Works, waits, works."""
    with Body("prepare"):
        spin(8)
        await asyncio.sleep(0.02)
        spin(4)
        return text


async def both():
    with Body("both"):
        await asyncio.gather(asyncio.sleep(0.02), asyncio.sleep(0.04))


async def main():
    with Body("main", True):
        await fetch()
        assert await prepare("x") == "x"
        await both()


asyncio.run(main())
