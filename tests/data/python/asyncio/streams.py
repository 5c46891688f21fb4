"""Sockets, asynchronous generators (one is left half-way), recursion, `async with`."""
import asyncio
from truth import Body, now, spin, worked


async def serve(reader, writer):
    with Body("serve", True):
        await reader.readline()
        await asyncio.sleep(0.01)
        for number in range(6):
            begin = now()
            writer.write(b"data: %d\n" % number)
            await writer.drain()  # So little fits: it does not wait, and writing takes its time.
            worked(begin)
            await asyncio.sleep(0.003)
        writer.close()


async def tokens(reader, writer):
    writer.write(b"GET\n")
    try:
        while True:
            line = await reader.readline()
            if not line:
                break
            yield line
    finally:
        writer.close()


async def complete(reader, writer):
    with Body("complete"):
        count = 0
        async for _ in tokens(reader, writer):
            spin(1)
            count += 1
        assert count == 6


async def numbers():
    try:
        for number in range(100):
            await asyncio.sleep(0.001)
            yield number
    finally:
        await asyncio.sleep(0.005)


async def first_three():
    with Body("first_three"):
        source = numbers()
        async for number in source:
            spin(1)
            if number == 2:
                break
        await source.aclose()


class Session:
    async def __aenter__(self):
        with Body("Session.__aenter__"):
            await asyncio.sleep(0.004)
            return self

    async def __aexit__(self, *error):
        with Body("Session.__aexit__"):
            await asyncio.sleep(0.002)


async def main():
    with Body("main", True):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with Session():
            # Making the connection is work that nobody measures.
            port = server.sockets[0].getsockname()[1]
            await complete(*await asyncio.open_connection("127.0.0.1", port))
        await first_three()
        server.close()
        await server.wait_closed()


asyncio.run(main())
