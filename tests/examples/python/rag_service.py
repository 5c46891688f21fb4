"""A small retrieval service on asyncio, to be recorded: no model, no network, Python 3.8 and later.

    inferscope record command -o service.inferscope -- python tests/examples/python/rag_service.py

Timeline: a track for each task, with what each await waits for. Stages: the critical path across tasks. Findings: `embed` holds the
event loop, so that requests which are ready wait for it. With `--fixed` it runs in a thread.
"""
import asyncio
import hashlib
import random
import sys
import time

DOCUMENTS = {number: "document %d" % number for number in range(200)}
FIXED = "--fixed" in sys.argv[1:]


def embed(text):
    """Computes for some 20 ms, as a small model on a CPU would, and lets other threads run meanwhile."""
    return int.from_bytes(hashlib.pbkdf2_hmac("sha256", text.encode(), b"", 60000)[:4], "little")


def search(vector):
    """A query of a database that has no asynchronous driver."""
    time.sleep(0.02)
    return [DOCUMENTS[(vector + n) % len(DOCUMENTS)] for n in range(3)]


class Service:
    def __init__(self):
        # Of the model, and of the cache.
        self.slots, self.lock = asyncio.Semaphore(2), asyncio.Lock()
        self.cache = {}
        self.log = asyncio.Queue(4)

    async def vector_of(self, question):
        if FIXED:
            return await asyncio.get_running_loop().run_in_executor(None, embed, question)
        return embed(question)

    async def retrieve(self, question):
        vector = await self.vector_of(question)
        return await asyncio.get_running_loop().run_in_executor(None, search, vector)

    async def tokens(self, prompt):
        await asyncio.sleep(0.03)
        for number in range(8):
            await asyncio.sleep(0.005)
            yield "token %d" % number

    async def generate(self, question, documents):
        async with self.slots:
            answer = [token async for token in self.tokens((question, documents))]
        if question.endswith("13"):
            raise ValueError("the model gave no JSON")
        return " ".join(answer)

    async def answer(self, question):
        async with self.lock:
            known = self.cache.get(question)
        if known is None:
            known = await self.generate(question, await self.retrieve(question))
            self.cache[question] = known
        await self.log.put(question)
        return known

    async def write_log(self):
        while True:
            question = await self.log.get()
            await asyncio.sleep(0.004)
            print("answered", question)
            self.log.task_done()


async def user(service, number):
    for turn in range(2):
        await asyncio.sleep(random.Random(number).random() / 50)
        try:
            await asyncio.wait_for(service.answer("question %d" % (number + 10 * turn)), 5)
        except ValueError as error:
            print("user %d: %s" % (number, error))


async def main():
    service = Service()
    logging = asyncio.ensure_future(service.write_log())
    await asyncio.gather(*(user(service, number) for number in range(6)))
    await service.log.join()
    logging.cancel()


asyncio.run(main())
