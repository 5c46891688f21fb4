"""Prints what a program can see of asyncio, and ends as its argument says."""
import asyncio
import inspect
import os
import signal
import sys
import threading
import traceback


async def fails(number):
    await asyncio.sleep(0)
    if number:
        raise ValueError(number)


async def waits():
    try:
        await asyncio.sleep(10)
    finally:
        print("cleaned up")


async def numbers():
    yield 1
    await asyncio.sleep(0)
    yield 2


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


async def main(end):
    loop = asyncio.get_running_loop()
    task = loop.create_task(fails(7))
    try:
        await task
    except ValueError:
        traceback.print_exc()
    print(inspect.iscoroutine(task.get_coro()), task.done(), task.cancelled(), repr(task.exception()))
    print(inspect.signature(fails), inspect.getsource(fails), fails.__code__.co_firstlineno, fails.__code__.co_flags)
    print(await asyncio.gather(fails(0), fails(1), return_exceptions=True))
    waiting = asyncio.ensure_future(waits())
    await asyncio.sleep(0)
    print(len(waiting.get_stack()), [frame.f_lineno for frame in waiting.get_stack()])
    waiting.print_stack(file=sys.stdout)
    waiting.cancel()
    await asyncio.wait([waiting])
    print([number async for number in numbers()], inspect.isasyncgenfunction(numbers))
    print(await loop.run_in_executor(None, fib, 10))
    print(loop.get_task_factory(), sys.gettrace(), sys.getprofile(), [t.name for t in threading.enumerate()][:1])
    print(len(asyncio.all_tasks()), asyncio.current_task() in asyncio.all_tasks())
    never = fails(1)
    print(inspect.getcoroutinestate(never))
    never.close()
    fails(2)
    lost = asyncio.ensure_future(fails(3))
    await asyncio.sleep(0.01)
    del lost
    sys.stdout.flush()
    if end == "exit":
        sys.exit(3)
    if end == "raise":
        raise RuntimeError("the end")
    if end == "os":
        os._exit(5)
    if end == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(5)
    if end == "signal":
        signal.signal(signal.SIGUSR1, lambda *_: print("got it", flush=True))
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
