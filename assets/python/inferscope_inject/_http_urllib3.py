"""urllib3, and with it requests and botocore: each attempt on a connection.

Pieces are taken where a response reads from its connection, of which all ways of reading make use.
"""

import functools


def install(module, http):
    from urllib3 import connection, connectionpool, response

    cut, inside, stamping = http.cut, http.inside, http.stamping
    pool, reply, link = connectionpool.HTTPConnectionPool, response.HTTPResponse, connection.HTTPConnection
    attempt, release, close = pool._make_request, reply.release_conn, reply.close
    read, read_chunk, next_chunk = reply._fp_read, reply._handle_chunk, reply._update_chunk_length
    dial, handshake, wait = link._new_conn, connection.HTTPSConnection.connect, link.getresponse
    # Calls by the answer of http.client that they read.
    watched = http.Table()

    def key_of(answer):
        return getattr(answer, "_original_response", None) or answer

    def call_of(answer):
        call = watched.get(key_of(answer))
        # Its body may be read before it is handed out.
        return (inside.get() or http.NOBODY) if call is http.NOBODY else call

    def begin(link, method, url, named, more):
        try:
            url = http.address(isinstance(link, connection.HTTPSConnection), link.host, link.port, url)
            # The body is the first of what follows in urllib3 2, and a keyword before.
            body = named.get("body", more[0] if more else None)
            return http.begin("urllib3", method, url, body, True)
        except Exception as error:
            http.failed(error)
            return http.NOBODY

    def answered(call, answer):
        if call.log is None:
            return
        try:
            headers = answer.headers
            call.answer(answer.status, headers.get)
            watched.put(key_of(answer), call)
        except Exception as error:
            http.failed(error)

    def over(answer):
        """It is read to its end, or thrown away before."""
        call = call_of(answer)
        # In the middle of reading, who reads tells.
        if call.log is not None and not call.busy:
            call.end("" if call.whole or getattr(answer, "length_remaining", None) == 0 else "aborted")

    def reading(function, see):
        """`function` of a response, which tells `see` what it read."""

        @functools.wraps(function)
        def wrapper(self, *more, **named):
            call = call_of(self)
            mine = call.log is not None
            try:
                call.busy = mine
                data = function(self, *more, **named)
            except BaseException as error:
                call.end(error)
                cut(error)
                raise
            finally:
                call.busy = False
            if mine:
                see(call, self, data, more)
            return data

        return wrapper

    def see_bytes(call, answer, data, more):
        if data:
            call.piece(data)
        left = getattr(answer, "length_remaining", None)
        wanted = more[0] if more else None
        call.whole = wanted is None or (not data and wanted != 0) or (left is not None and left <= len(data))

    def see_chunk(call, answer, data, more):
        if data:
            call.piece(data)

    def see_length(call, answer, data, more):
        call.whole = answer.chunk_left == 0

    @functools.wraps(attempt)
    def _make_request(self, conn, method, url, *more, **named):
        call = begin(conn, method, url, named, more)
        token = http.enter(call)
        try:
            answer = attempt(self, conn, method, url, *more, **named)
        except BaseException as error:
            call.end(error)
            cut(error)
            raise
        finally:
            http.leave(token)
        answered(call, answer)
        return answer

    @functools.wraps(release)
    def release_conn(self):
        over(self)
        return release(self)

    @functools.wraps(close)
    def _close(self):
        over(self)
        return close(self)

    pool._make_request = _make_request
    link._new_conn = stamping(dial, "connect", "connected")
    connection.HTTPSConnection.connect = stamping(handshake, None, "tls")
    if "getresponse" in link.__dict__:
        link.getresponse = stamping(wait, "sent", "first_byte")
    reply.release_conn, reply.close = release_conn, _close
    reply._fp_read, reply._handle_chunk = reading(read, see_bytes), reading(read_chunk, see_chunk)
    reply._update_chunk_length = reading(next_chunk, see_length)
