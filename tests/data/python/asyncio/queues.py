"""A bounded queue, a lock and an event: who wakes whom."""
import asyncio
from truth import Body, spin


async def produce(queue):
    with Body("produce", True):
        for item in range(6):
            await asyncio.sleep(0.002)
            await queue.put(item)


async def store(lock):
    with Body("store"):
        async with lock:
            await asyncio.sleep(0.004)


async def consume(queue, lock, done):
    with Body("consume", True):
        while True:
            item = await queue.get()
            spin(2)
            await store(lock)
            queue.task_done()
            if item == 5:
                done.set()


async def watch(done):
    with Body("watch", True):
        await done.wait()


async def main():
    with Body("main", True):
        queue, lock, done = asyncio.Queue(1), asyncio.Lock(), asyncio.Event()
        watching = asyncio.ensure_future(watch(done))
        consumers = [asyncio.ensure_future(consume(queue, lock, done)) for _ in range(2)]
        await asyncio.gather(produce(queue))
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)
        await watching


asyncio.run(main())
