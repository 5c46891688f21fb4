"""http.client of the standard library, and with it urllib.request: requests that no library above it tells of.

Pieces are what the program reads, so many at a time as it asks for.
"""

import functools


def install(module, http):
    cut = http.cut
    link, reply = module.HTTPConnection, module.HTTPResponse
    request, wait, dial, close = link.request, link.getresponse, link.connect, reply.close
    # Requests that wait for their answer by connection, and answers.
    pending, watched = http.Table(), http.Table()

    def begin(self, method, url):
        try:
            secure = isinstance(self, getattr(module, "HTTPSConnection", ()))
            tunnel = getattr(self, "_tunnel_host", None)
            host, port = (tunnel, self._tunnel_port) if tunnel else (self.host, self.port)
            url = http.address(secure, host, port, url)
            return http.begin("http.client", method, url, None, True)
        except Exception as error:
            http.failed(error)
            return http.NOBODY

    @functools.wraps(request)
    def _request(self, method, url, body=None, headers={}, **named):
        call = begin(self, method, url)
        call.body(body)
        token = http.enter(call)
        try:
            request(self, method, url, body, headers, **named)
        except BaseException as error:
            call.end(error)
            cut(error)
            raise
        finally:
            http.leave(token)
        if call.log is not None:
            call.stamp("sent")
            pending.put(self, call)

    @functools.wraps(wait)
    def getresponse(self):
        call = pending.take(self)
        try:
            answer = wait(self)
        except BaseException as error:
            call.end(error)
            cut(error)
            raise
        if call.log is not None:
            try:
                call.answer(answer.status, answer.getheader)
                if answer.isclosed():
                    call.end()
                else:
                    watched.put(answer, call)
            except Exception as error:
                http.failed(error)
        return answer

    def reading(function, fills):
        """A way of reading an answer; `fills`: it gives the number of bytes that it put into a buffer."""

        @functools.wraps(function)
        def wrapper(self, *more, **named):
            call = watched.get(self)
            # Ways of reading make use of each other.
            mine = call.log is not None and not call.busy
            try:
                if not mine:
                    return function(self, *more, **named)
                call.busy = True
                data = function(self, *more, **named)
            except BaseException as error:
                if mine:
                    call.end(error)
                cut(error)
                raise
            finally:
                if mine:
                    call.busy = False
            try:
                piece = memoryview(more[0]).cast("B")[:data] if fills else data
                if piece:
                    call.piece(piece)
                if self.isclosed():
                    call.end()
            except Exception as error:
                http.failed(error)
            return data

        return wrapper

    @functools.wraps(close)
    def _close(self):
        call = watched.get(self)
        if not call.busy:
            # One without a length ends with its connection, and nobody may have read on to see that.
            call.end("aborted" if self.length or self.chunked else "")
        try:
            return close(self)
        except BaseException as error:
            cut(error)
            raise

    link.request, link.getresponse = _request, getresponse
    link.connect = http.stamping(dial, "connect", "connected")
    if hasattr(module, "HTTPSConnection"):
        module.HTTPSConnection.connect = http.stamping(module.HTTPSConnection.connect, None, "tls")
    for name in ("read", "read1", "readline", "readinto"):
        setattr(reply, name, reading(getattr(reply, name), name == "readinto"))
    reply.close = _close
