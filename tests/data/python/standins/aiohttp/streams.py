import asyncio
import collections


class StreamReader:
    __slots__ = ("_buffer", "_eof", "_exception", "_more")

    def __init__(self):
        self._buffer, self._eof, self._exception = collections.deque(), False, None
        self._more = asyncio.Event()

    def feed_data(self, data, size=0):
        self._buffer.append(data)
        self._more.set()

    def feed_eof(self):
        self._eof = True
        self._more.set()

    def set_exception(self, exc):
        self._exception = exc
        self._more.set()

    def is_eof(self):
        return self._eof

    async def readany(self):
        while not self._buffer and not self._eof and self._exception is None:
            self._more.clear()
            await self._more.wait()
        if self._exception is not None:
            raise self._exception
        return self._buffer.popleft() if self._buffer else b""
