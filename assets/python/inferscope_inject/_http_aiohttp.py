"""aiohttp: each request of a session, redirects within it.

Pieces are taken when they arrive, decoded, which may be before the program reads them.
"""

import functools

# Streams that are waited for. One that nobody ends must not stay for ever.
MOST_WATCHED = 4096


def install(module, http):
    from aiohttp import client_reqrep, connector, streams

    cut, inside = http.cut, http.inside
    session, answer, stream = module.ClientSession, client_reqrep.ClientResponse, streams.StreamReader
    request, send, dial = session._request, client_reqrep.ClientRequest.send, connector.TCPConnector._create_connection
    feed, feed_eof, fail, close, release = (
        stream.feed_data,
        stream.feed_eof,
        stream.set_exception,
        answer.close,
        answer.release,
    )
    # Streams and their calls, by the stream's number.
    watched = {}

    def ended(stream, how):
        found = watched.pop(id(stream), None)
        if found is not None:
            found[1].end(how)

    def unsent(call, named):
        """What would have been sent, where there was no connection."""
        try:
            if call.log is not None and not call.asked:
                body = named.get("data")
                call.body(http.json.dumps(named["json"]) if named.get("json") is not None else body)
        except Exception:
            # The library would have said so.
            pass

    def watch(call, response):
        if call.log is None:
            return
        try:
            call.answer(response.status, response.headers.get, coding=False)
            content = response.content
            # What came along with the head.
            for data in getattr(content, "_buffer", None) or ():
                call.piece(data)
            if not isinstance(content, stream) or content.is_eof() or response.status == 101:
                return call.end()
            watched[id(content)] = content, call
            if len(watched) > MOST_WATCHED:
                ended(next(iter(watched.values()))[0], "aborted")
        except Exception as error:
            http.failed(error)

    @functools.wraps(request)
    async def _request(self, method, str_or_url, **named):
        try:
            base = getattr(self, "_base_url", None)
            url = str(str_or_url if base is None else self._build_url(str_or_url))
            call = http.begin("aiohttp", method, url)
        except Exception as error:
            http.failed(error)
            call = http.NOBODY
        token = http.enter(call)
        try:
            response = await request(self, method, str_or_url, **named)
        except BaseException as error:
            unsent(call, named)
            call.end(error)
            cut(error)
            raise
        finally:
            http.leave(token)
        watch(call, response)
        return response

    @functools.wraps(send)
    async def _send(self, conn):
        call = inside.get() or http.NOBODY
        try:
            if call.log is not None:
                body = getattr(self, "body", None)
                call.body(getattr(body, "_value", body))
                call.stamp("send")
        except Exception as error:
            http.failed(error)
        try:
            response = await send(self, conn)
        except BaseException as error:
            cut(error)
            raise
        call.stamp("sent")
        return response

    @functools.wraps(dial)
    async def _create_connection(self, *more, **named):
        call = inside.get() or http.NOBODY
        call.stamp("connect")
        try:
            made = await dial(self, *more, **named)
        except BaseException as error:
            cut(error)
            raise
        call.stamp("connected")
        return made

    @functools.wraps(feed)
    def feed_data(self, data, *more, **named):
        found = watched.get(id(self))
        if found is not None:
            found[1].piece(data)
        return feed(self, data, *more, **named)

    @functools.wraps(feed_eof)
    def _feed_eof(self, *more, **named):
        ended(self, "")
        return feed_eof(self, *more, **named)

    @functools.wraps(fail)
    def set_exception(self, exc, *more, **named):
        ended(self, exc)
        return fail(self, exc, *more, **named)

    @functools.wraps(close)
    def _close(self):
        ended(self.content, "aborted")
        return close(self)

    @functools.wraps(release)
    def _release(self):
        ended(self.content, "aborted")
        return release(self)

    session._request, client_reqrep.ClientRequest.send = _request, _send
    connector.TCPConnector._create_connection = _create_connection
    stream.feed_data, stream.feed_eof, stream.set_exception = feed_data, _feed_eof, set_exception
    answer.close, answer.release = _close, _release
