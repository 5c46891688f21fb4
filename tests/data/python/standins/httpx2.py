"""So much of httpx2 as tests need: its public calls, and the inner names and order of events that the real one has."""

import asyncio
import http.client
import json
import urllib.parse


class SyncByteStream:
    pass


class AsyncByteStream:
    pass


class ConnectError(Exception):
    pass


class Headers(dict):
    def __init__(self, pairs):
        super().__init__((k.lower(), v) for k, v in pairs)

    def get(self, name, default=None):
        return super().get(name.lower(), default)


class Request:
    def __init__(self, method, url, content, headers):
        self.method, self.url, self._content, self.extensions = method, url, content, {}
        self.headers = {"content-type": "application/json", **headers}
        self.stream = self


class Response:
    def __init__(self, status_code, headers, stream):
        self.status_code, self.headers, self.stream = status_code, headers, stream

    def iter_bytes(self):
        yield from self.stream
        self.close()

    def read(self):
        return b"".join(self.iter_bytes())

    def close(self):
        self.stream.close()

    async def aiter_bytes(self):
        async for data in self.stream:
            yield data
        await self.aclose()

    async def aread(self):
        return b"".join([data async for data in self.aiter_bytes()])

    async def aclose(self):
        await self.stream.aclose()


class Pieces(SyncByteStream):
    def __init__(self, answer):
        self.answer = answer

    def __iter__(self):
        while True:
            data = self.answer.read1(65536)
            if not data:
                return
            yield data

    def close(self):
        self.answer.close()


class AsyncPieces(AsyncByteStream):
    def __init__(self, reader, writer, headers):
        self.reader, self.writer, self.headers = reader, writer, headers

    async def __aiter__(self):
        if self.headers.get("transfer-encoding") != "chunked":
            yield await self.reader.readexactly(int(self.headers["content-length"]))
            return
        while True:
            size = int(await self.reader.readline(), 16)
            data = await self.reader.readexactly(size + 2)
            if size == 0:
                return
            yield data[:-2]

    async def aclose(self):
        self.writer.close()


class BoundSyncStream(SyncByteStream):
    def __init__(self, stream):
        self._stream = stream

    def __iter__(self):
        yield from self._stream

    def close(self):
        self._stream.close()


class BoundAsyncStream(AsyncByteStream):
    def __init__(self, stream):
        self._stream = stream

    async def __aiter__(self):
        async for data in self._stream:
            yield data

    async def aclose(self):
        await self._stream.aclose()


class Client:
    def post(self, url, json_body, headers={}):
        return self._send_single_request(Request("POST", url, json.dumps(json_body).encode(), headers))

    def _send_single_request(self, request):
        """Sends a single request, without handling any redirections."""
        tell = request.extensions.get("trace") or (lambda event, info: None)
        parts = urllib.parse.urlsplit(request.url)
        link = http.client.HTTPConnection(parts.hostname, parts.port)
        tell("connection.connect_tcp.started", {})
        try:
            link.connect()
        except OSError as error:
            raise ConnectError(str(error)) from error
        tell("connection.connect_tcp.complete", {})
        tell("http11.send_request_headers.started", {})
        link.request(request.method, parts.path, request._content, request.headers)
        tell("http11.send_request_body.complete", {})
        answer = link.getresponse()
        tell("http11.receive_response_headers.complete", {})
        return Response(answer.status, Headers(answer.getheaders()), BoundSyncStream(Pieces(answer)))


class AsyncClient:
    async def post(self, url, json_body, headers={}):
        return await self._send_single_request(Request("POST", url, json.dumps(json_body).encode(), headers))

    async def _send_single_request(self, request):
        async def nobody(event, info):
            pass

        tell = request.extensions.get("trace") or nobody
        parts = urllib.parse.urlsplit(request.url)
        await tell("connection.connect_tcp.started", {})
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError as error:
            raise ConnectError(str(error)) from error
        await tell("connection.connect_tcp.complete", {})
        await tell("http11.send_request_headers.started", {})
        headers = {"host": parts.netloc, "content-length": len(request._content), **request.headers}
        head = "".join("%s: %s\r\n" % pair for pair in headers.items())
        writer.write(("%s %s HTTP/1.1\r\n%s\r\n" % (request.method, parts.path, head)).encode() + request._content)
        await writer.drain()
        await tell("http11.send_request_body.complete", {})
        status = int((await reader.readline()).split()[1])
        pairs = []
        while True:
            line = (await reader.readline()).decode().strip()
            if not line:
                break
            name, _, value = line.partition(":")
            pairs.append((name, value.strip()))
        await tell("http11.receive_response_headers.complete", {})
        headers = Headers(pairs)
        return Response(status, headers, BoundAsyncStream(AsyncPieces(reader, writer, headers)))
