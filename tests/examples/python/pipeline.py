"""A pipeline that waits for services: its calls one after another, or those together that need not wait for each other.

    inferscope record command -o serial.inferscope -- python tests/examples/python/pipeline.py serial
    inferscope record command -o overlapped.inferscope -- python tests/examples/python/pipeline.py overlapped
    inferscope diff serial.inferscope overlapped.inferscope

The work is the same in both: what changes is when it is done. Needs nothing but Python 3.8 or newer.
"""

import asyncio
import sys


async def fetch_documents():
    await asyncio.sleep(0.3)
    return ["one", "two", "three"]


async def embed(documents):
    total = 0
    for number in range(200_000):
        total += number % 7
    await asyncio.sleep(0.2)
    return [(total + len(text)) % 5 for text in documents]


async def ask_search(vectors):
    await asyncio.sleep(0.5)
    return sum(vectors)


async def ask_database(vectors):
    await asyncio.sleep(0.4)
    return max(vectors)


async def ask_model(found, rows):
    await asyncio.sleep(0.6)
    return f"{found} and {rows}"


async def write_log(answer):
    await asyncio.sleep(0.2)


async def store(answer):
    await asyncio.sleep(0.2)


async def serial(vectors):
    found = await ask_search(vectors)
    rows = await ask_database(vectors)
    answer = await ask_model(found, rows)
    await write_log(answer)
    await store(answer)


async def overlapped(vectors):
    found, rows = await asyncio.gather(ask_search(vectors), ask_database(vectors))
    answer = await ask_model(found, rows)
    await asyncio.gather(write_log(answer), store(answer))


async def main(order):
    documents = await fetch_documents()
    vectors = await embed(documents)
    await order(vectors)


if __name__ == "__main__":
    orders = {"serial": serial, "overlapped": overlapped}
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in orders:
        sys.exit("usage: pipeline.py serial | overlapped")
    asyncio.run(main(orders[wanted]))
