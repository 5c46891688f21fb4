"""httpx and httpx2, which has the same inner names: each attempt of a client, redirects apart.

The body's stream that a transport gave is replaced by one that hands on the same pieces. Connecting and sending are told by
httpcore, which asks the request's extensions for somebody to tell; a program that wants to be told itself keeps that.
"""

import functools

MARKS = {
    "connection.connect_tcp.started": "connect",
    "connection.connect_tcp.complete": "connected",
    "connection.connect_unix_socket.started": "connect",
    "connection.connect_unix_socket.complete": "connected",
    "connection.start_tls.complete": "tls",
    "http11.send_request_headers.started": "send",
    "http11.send_request_body.complete": "sent",
    "http11.receive_response_headers.complete": "first_byte",
    "http2.send_request_headers.started": "send",
    "http2.send_request_body.complete": "sent",
    "http2.receive_response_headers.complete": "first_byte",
}


def install(module, http):
    name = module.__name__
    cut, enter, leave = http.cut, http.enter, http.leave

    def begin(request, blocks):
        try:
            body = request.__dict__.get("_content")
            return http.begin(name, request.method, str(request.url), body, blocks)
        except Exception as error:
            http.failed(error)
            return http.NOBODY

    def tell(call, request, is_async):
        """Asks to be told of the connection; gives what takes that back."""
        known = request.extensions
        if call.log is None or "trace" in known:
            return lambda: None

        def trace(event, info):
            mark = MARKS.get(event)
            if mark is not None:
                call.stamp(mark)

        async def atrace(event, info):
            trace(event, info)

        ours = dict(known, trace=atrace if is_async else trace)
        request.extensions = ours

        def take_back():
            if request.extensions is ours:
                request.extensions = known

        return take_back

    def watch(call, response, kind):
        if call.log is None:
            return
        try:
            # A transport may make the answer itself, read and decoded: then nobody reads its stream.
            content = response.__dict__.get("_content")
            call.answer(response.status_code, response.headers.get, coding=content is None)
            if content is not None:
                call.piece(content)
                call.end()
                return
            bound = response.stream
            # Under the stream that the client made, which stays.
            if hasattr(bound, "_stream"):
                bound._stream = kind(bound._stream, call)
            else:
                response.stream = kind(bound, call)
        except Exception as error:
            http.failed(error)

    class Pieces:
        """An iterator in the place of another one, whose other methods it has."""

        __slots__ = ("inner", "next", "call")

        def __init__(self, inner, call):
            self.inner, self.next, self.call = inner, inner.__next__, call

        def __iter__(self):
            return self

        def __next__(self):
            try:
                data = self.next()
            except StopIteration:
                self.call.end()
                raise
            except BaseException as error:
                self.call.end(error)
                cut(error)
                raise
            self.call.piece(data)
            return data

        def __getattr__(self, name):
            return getattr(self.inner, name)

    class AsyncPieces:
        __slots__ = ("inner", "next", "call")

        def __init__(self, inner, call):
            self.inner, self.next, self.call = inner, inner.__anext__, call

        def __aiter__(self):
            return self

        async def __anext__(self):
            try:
                data = await self.next()
            except StopAsyncIteration:
                self.call.end()
                raise
            except BaseException as error:
                self.call.end(error)
                cut(error)
                raise
            self.call.piece(data)
            return data

    class AsyncGeneratorPieces(AsyncPieces):
        """httpx2 closes what is an asynchronous generator, and knows one by these."""

        __slots__ = ()

        def asend(self, value):
            return self.inner.asend(value)

        def athrow(self, *error):
            return self.inner.athrow(*error)

        def aclose(self):
            return self.inner.aclose()

    def forget(stream):
        """Nobody has it any more: an answer that was neither read nor closed."""
        try:
            stream._call.end("aborted")
        except Exception:
            # The interpreter ends.
            pass

    class Stream(module.SyncByteStream):
        def __init__(self, inner, call):
            self._inner, self._call = inner, call

        def __iter__(self):
            return Pieces(iter(self._inner), self._call)

        @property
        def close(self):
            # Looked up to be called. No frame of ours is there when it raises.
            self._call.end("aborted")
            return self._inner.close

        def __getattr__(self, name):
            if name == "_inner":
                raise AttributeError(name)
            return getattr(self._inner, name)

        __del__ = forget

    class AsyncStream(module.AsyncByteStream):
        def __init__(self, inner, call):
            self._inner, self._call = inner, call

        def __aiter__(self):
            inner = self._inner.__aiter__()
            kind = AsyncGeneratorPieces if hasattr(inner, "aclose") else AsyncPieces
            return kind(inner, self._call)

        @property
        def aclose(self):
            self._call.end("aborted")
            return self._inner.aclose

        def __getattr__(self, name):
            if name == "_inner":
                raise AttributeError(name)
            return getattr(self._inner, name)

        __del__ = forget

    one, aone = module.Client._send_single_request, module.AsyncClient._send_single_request

    @functools.wraps(one)
    def send(self, request):
        call = begin(request, True)
        take_back, token = tell(call, request, False), enter(call)
        try:
            response = one(self, request)
        except BaseException as error:
            call.end(error)
            cut(error)
            raise
        finally:
            leave(token)
            take_back()
        watch(call, response, Stream)
        return response

    @functools.wraps(aone)
    async def asend(self, request):
        call = begin(request, False)
        take_back, token = tell(call, request, True), enter(call)
        try:
            response = await aone(self, request)
        except BaseException as error:
            call.end(error)
            cut(error)
            raise
        finally:
            leave(token)
            take_back()
        watch(call, response, AsyncStream)
        return response

    module.Client._send_single_request, module.AsyncClient._send_single_request = send, asend
