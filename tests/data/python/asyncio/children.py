"""Loops of processes that are forked, spawned and started, and one that is killed in the middle of its work."""
import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys


async def work(name):
    await asyncio.sleep(0.01)


async def dies():
    asyncio.ensure_future(work("beside"))
    await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


def child(name):
    asyncio.run(work(name))


if __name__ == "__main__":
    if sys.argv[1:] == ["dies"]:
        asyncio.run(dies())
    child("own")
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=child, args=(method,))
        process.start()
        process.join()
    subprocess.run([sys.executable, __file__, "dies"])
    print("done")
