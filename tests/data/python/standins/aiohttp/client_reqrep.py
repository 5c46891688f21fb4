import asyncio

from .streams import StreamReader


class Body:
    def __init__(self, value):
        self._value = value


class ClientRequest:
    def __init__(self, method, parts, body, headers):
        self.method, self.parts, self.body, self.headers = method, parts, Body(body), headers

    async def send(self, conn):
        reader, writer = conn
        body = self.body._value
        headers = {"host": self.parts.netloc, "content-length": len(body), **self.headers}
        head = "".join("%s: %s\r\n" % pair for pair in headers.items())
        writer.write(("%s %s HTTP/1.1\r\n%s\r\n" % (self.method, self.parts.path, head)).encode() + body)
        return ClientResponse(reader, writer)


class ClientResponse:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.content, self.headers = reader, writer, None, {}

    async def start(self):
        self.status = int((await self.reader.readline()).split()[1])
        while True:
            line = (await self.reader.readline()).decode().strip()
            if not line:
                break
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.content = StreamReader()
        self.task = asyncio.ensure_future(self.feed())

    async def feed(self):
        try:
            if "content-length" in self.headers:
                self.content.feed_data(await self.reader.readexactly(int(self.headers["content-length"])))
                return self.content.feed_eof()
            while True:
                size = int(await self.reader.readline(), 16)
                data = await self.reader.readexactly(size + 2)
                if size == 0:
                    return self.content.feed_eof()
                self.content.feed_data(data[:-2])
        except Exception as error:
            self.content.set_exception(error)

    async def read(self):
        pieces = []
        while True:
            data = await self.content.readany()
            if not data:
                return b"".join(pieces)
            pieces.append(data)

    def close(self):
        self.task.cancel()
        self.writer.close()

    def release(self):
        self.writer.close()
