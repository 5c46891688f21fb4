"""Time-outs, cancelling with a cleanup that waits, a shield, exceptions, retries."""
import asyncio
import sys
from truth import Body, spin


async def cleanup():
    with Body("cleanup"):
        await asyncio.sleep(0.01)


async def slow():
    # A task of its own before Python 3.12.
    with Body("slow", sys.version_info < (3, 12)):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await cleanup()
            raise


async def flaky(attempt):
    with Body("flaky"):
        await asyncio.sleep(0.003)
        spin(1)
        if attempt < 2:
            raise ValueError("again")


async def retry():
    with Body("retry"):
        for attempt in range(3):
            try:
                return await flaky(attempt)
            except ValueError:
                await asyncio.sleep(0.002)


async def lagging():
    with Body("lagging", True):
        await asyncio.sleep(5)


async def save():
    with Body("save", True):
        await asyncio.sleep(0.03)


async def impatient(saving):
    with Body("impatient", True):
        await asyncio.shield(saving)


async def broken():
    with Body("broken", True):
        await asyncio.sleep(0.002)
        return {}["answer"]


async def main():
    with Body("main", True):
        try:
            await asyncio.wait_for(slow(), 0.02)
        except asyncio.TimeoutError:
            pass
        await retry()
        saving, late = asyncio.ensure_future(save()), asyncio.ensure_future(lagging())
        done, pending = await asyncio.wait([saving, late], timeout=0.005)
        assert not done and len(pending) == 2
        late.cancel()
        outer = asyncio.ensure_future(impatient(saving))
        await asyncio.sleep(0.005)
        outer.cancel()
        await asyncio.gather(late, outer, asyncio.ensure_future(broken()), return_exceptions=True)
        await saving


asyncio.run(main())
