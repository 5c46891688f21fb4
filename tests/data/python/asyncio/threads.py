"""Jobs of a thread pool, a loop in another thread, a coroutine that holds the loop."""
import asyncio
import concurrent.futures
import threading
import time
from truth import Body, spin


def blocking(ms):
    time.sleep(ms / 1000)


async def jobs(pool):
    with Body("jobs"):
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, blocking, 15) for _ in range(4)))


async def one_job(pool):
    with Body("one_job"):
        await asyncio.get_running_loop().run_in_executor(pool, blocking, 10)


async def tick(stop):
    with Body("tick", True):
        while not stop.is_set():
            await asyncio.sleep(0.004)


async def embed():
    with Body("embed"):
        spin(40)


async def remote():
    with Body("remote", True):
        spin(2)
        await asyncio.sleep(0.02)
        return "there"


async def main(pool, other):
    with Body("main", True):
        stop = asyncio.Event()
        ticking = asyncio.ensure_future(tick(stop))
        await jobs(pool)
        await one_job(pool)
        await embed()
        assert await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(remote(), other)) == "there"
        stop.set()
        await ticking


other = asyncio.new_event_loop()
thread = threading.Thread(target=other.run_forever, name="second loop")
thread.start()
with concurrent.futures.ThreadPoolExecutor(2, "worker") as pool:
    # Both workers are there before anything is measured.
    list(pool.map(time.sleep, [0.01, 0.01]))
    asyncio.run(main(pool, other))
other.call_soon_threadsafe(other.stop)
thread.join()
other.close()
