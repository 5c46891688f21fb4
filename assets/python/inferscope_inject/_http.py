"""Requests over HTTP that the program makes: what its client libraries are armed with writes them down here.

Each process has one file in the recorder's folder, `http-PID-N.calls`. It is begun with the first request and grows by whole
records, one write each, so that a killed process loses at most the record that it was writing:

    head, 64 bytes: "\\x89IHTTP1\\n", u32 pid, u32 flags (1: texts are left out), u64 perf_counter ns, u64 unix ns of the same
    moment, u64 requests that were left out, 24 bytes for the program's name
    record: u32 length of what follows it, u8 kind, 3 bytes 0, u32 number of the request, u32 size (of a body or a piece before
    it was cut), u64 perf_counter ns; then that many bytes. Little endian.

Bodies are kept of requests to known routes of language models only, their first MiB; after 64 MiB of them those of further requests
are without texts, as in recordings that keep none. Of headers only the status, type, coding and id
of the answer and how long to wait are kept, and never any of the request. Nothing is held back: the program gets each
piece as its library gave it.
"""

import contextvars
import functools
import itertools
import json
import os
import struct
import sys
import threading
import time
import weakref

HEAD = struct.Struct("<8sIIQQQ24s")
RECORD = struct.Struct("<IBxxxIIQ")
MAGIC = b"\x89IHTTP1\n"
LEFT_OUT_AT = 32
START, BODY, STAMP, ANSWER, PIECE, END = range(1, 7)

# Of one body; of all bodies of the process, from which on texts are left out; of its file.
MOST_OF_A_BODY = 1 << 20
MOST_OF_BODIES = 64 << 20
MOST = 256 << 20

# A POST to a path that ends so is a call of a model.
ROUTES = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    ":generateContent",
    ":streamGenerateContent",
    ":embedContent",
    ":batchEmbedContents",
    "/converse",
    "/converse-stream",
    "/invoke",
    "/invoke-with-response-stream",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/rerank",
)
IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id")

# Which of our modules arms which of the program's.
LIBRARIES = {
    "httpx": "_http_httpx",
    "httpx2": "_http_httpx",
    "aiohttp": "_http_aiohttp",
    "urllib3": "_http_urllib3",
    "http.client": "_http_client",
}

now = time.perf_counter_ns

# The request that is being made, in the libraries below the one that tells of it.
inside = contextvars.ContextVar("inferscope_http", default=None)

# From 3.11 on an exception that is raised again keeps the traceback that it was given.
CUT = sys.version_info >= (3, 11)


def cut(error):
    """Takes our own frame out of the traceback of an exception that is about to be raised again."""
    if CUT and error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next


class Log:
    """The file of this process."""

    def __init__(self, folder, texts):
        self.pid, self.bodies, self.size, self.left_out = os.getpid(), 0, HEAD.size, 0
        self.numbers = itertools.count(1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        for n in itertools.count():
            self.path = "%s/http-%d-%d.calls" % (folder, self.pid, n)
            try:
                self.file = os.open(self.path, flags, 0o600)
                break
            except FileExistsError:
                # An earlier program of this process, before exec.
                pass
        name = os.path.basename((getattr(sys, "argv", None) or [""])[0]).encode("utf-8", "replace")
        os.write(self.file, HEAD.pack(MAGIC, self.pid, 0 if texts else 1, now(), time.time_ns(), 0, name[:24]))
        self.identity = self.look()

    def look(self):
        found = os.fstat(self.file)
        return found.st_dev, found.st_ino

    def mine(self):
        """The descriptor: programs that become daemons close all of them, and others take their numbers."""
        try:
            found = os.fstat(self.file)
            if (found.st_dev, found.st_ino) == self.identity:
                if found.st_nlink:
                    return self.file
                # The recorder has ended: what nobody reads is to take no room on the disk.
                os.close(self.file)
        except OSError:
            pass
        self.file = os.open(self.path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        os.lseek(self.file, 0, os.SEEK_END)
        self.identity = self.look()
        return self.file

    def write(self, kind, number, size=0, data=b"", at=None):
        if self.size > MOST:
            return
        record = RECORD.pack(len(data), kind, number, min(size, 0xFFFFFFFF), now() if at is None else at) + data
        self.size += len(record)
        if os.write(self.mine(), record) != len(record):
            raise OSError("the disk is full")

    def leave_out(self):
        self.left_out += 1
        if hasattr(os, "pwrite"):
            os.pwrite(self.mine(), struct.pack("<Q", self.left_out), LEFT_OUT_AT)


class State:
    """What there is once in a process."""

    folder = None
    log = None
    lock = threading.RLock()
    texts = True
    broken = False


def failed(error):
    """A hook does not work here: from now on the program's requests pass as if there were none."""
    if not State.broken:
        State.broken = True
        agent.say("HTTP requests are no longer recorded", error)


def forked():
    """A child begins a file of its own; requests of its parent are the parent's."""
    log, State.log = State.log, None
    # Another thread of the parent may have held it.
    State.lock = threading.RLock()
    if log is not None:
        log.pid = -1
        try:
            if log.look() == log.identity:
                os.close(log.file)
        except OSError:
            pass


def place():
    """The thread and the task that make the request."""
    about = {"thread": threading.get_native_id()}
    # current_thread() would add threads that Python did not start.
    thread = getattr(threading, "_active", {}).get(threading.get_ident())
    if thread is not None:
        about["thread_name"] = thread.name
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    if loop is not None:
        about["loop"] = True
        task = sys.modules["asyncio.tasks"].current_task(loop)
        if task is not None:
            about["task"] = id(task)
            about["task_name"] = task.get_name() if hasattr(task, "get_name") else ""
    return about


def plain(url):
    """Without what may hold secrets: query, fragment, name and password."""
    url = url.partition("#")[0].partition("?")[0]
    scheme, sign, rest = url.partition("://")
    if sign:
        host, slash, path = rest.partition("/")
        url = scheme + sign + host.rpartition("@")[2] + slash + path
    return url[:2000]


def begin(library, method, url, body=None, blocks=False):
    """A request begins; NOBODY when it is not written down. `blocks`: the calling thread waits for its answer."""
    if State.broken or inside.get() is not None:
        return NOBODY
    at = now()
    try:
        log = State.log
        if log is None:
            with State.lock:
                log = State.log = State.log or Log(State.folder, State.texts)
        call = Call(log, at, library, method, plain(url), blocks)
        call.body(body)
        return call
    except Exception as error:
        failed(error)
        return NOBODY


def enter(call):
    """What follows is part of this request."""
    return inside.set(call) if call.log is not None else None


def leave(token):
    if token is not None:
        inside.reset(token)


class Call:
    """A request on its way. Its methods never raise. `log` is None when nothing of it is written any more."""

    __slots__ = ("log", "number", "known", "texts", "room", "scrub", "asked", "whole", "busy")

    def __init__(self, log, at, library, method, url, blocks):
        self.log, self.number, self.asked, self.whole, self.busy = None, next(log.numbers), False, False, False
        if log.size > MOST:
            log.leave_out()
            return
        method = str(method or "GET").upper()
        self.known = method == "POST" and url.endswith(ROUTES)
        self.room, self.scrub = MOST_OF_A_BODY, None
        self.texts = State.texts and log.bodies < MOST_OF_BODIES
        about = {"library": library, "method": method, "url": url, "known": self.known}
        if self.known and State.texts and not self.texts:
            about["texts"] = False
        about.update(place())
        about["blocks"] = blocks and about.pop("loop", False)
        log.write(START, self.number, 0, json.dumps(about).encode("utf-8", "replace"), at)
        self.log = log

    def body(self, body):
        """What is sent, where it is at hand as a whole."""
        try:
            log = self.log
            if log is None or self.asked or not self.known:
                return
            body = body.encode("utf-8", "replace") if isinstance(body, str) else body
            if isinstance(body, (bytes, bytearray, memoryview)):
                size, self.asked = len(body), True
                if not self.texts:
                    body = agent.load("_http_scrub").whole(bytes(body))
                self.write(BODY, size, self.kept(body, log))
                self.room = MOST_OF_A_BODY
        except Exception as error:
            failed(error)

    def kept(self, data, log):
        """As much of a body as is kept."""
        data = bytes(data[: self.room])
        self.room -= len(data)
        log.bodies += len(data)
        return data

    def write(self, kind, size=0, data=b""):
        log = self.log
        if log is not None and log.pid != -1 and not State.broken:
            log.write(kind, self.number, size, data)

    def stamp(self, name):
        """Something happens now: begin of connecting, sent …"""
        try:
            self.write(STAMP, 0, name.encode())
        except Exception as error:
            failed(error)

    def answer(self, status, header, coding=True):
        """The head of the answer is there; `header` gives one by name, or None. `coding`: its body comes as it was sent."""
        if self.log is None:
            return
        try:
            about = {"status": status, "type": header("content-type"), "retry_after": header("retry-after")}
            about["coding"] = header("content-encoding") if coding else None
            about["id"] = next((found for found in map(header, IDS) if found), None)
            about["through"] = header("x-inferscope-request")
            if self.known and not self.texts:
                # Unpacks what it looks into.
                self.scrub = agent.load("_http_scrub").Stream(about["type"], about.pop("coding"))
            about = {key: value for key, value in about.items() if value is not None}
            self.write(ANSWER, 0, json.dumps(about, default=str).encode("utf-8", "replace"))
        except Exception as error:
            failed(error)

    def piece(self, data):
        """A piece of the answer's body."""
        try:
            log = self.log
            if log is None or State.broken:
                return
            size = len(data)
            if not self.known:
                data = b""
            else:
                if self.scrub is not None:
                    data = self.scrub.piece(bytes(data))
                data = self.kept(data, log)
            self.write(PIECE, size, data)
        except Exception as error:
            failed(error)

    def end(self, how=""):
        """It is over: whole, "aborted" by the program, or an exception."""
        log = self.log
        if log is None:
            return
        try:
            if isinstance(how, BaseException) and not isinstance(how, Exception):
                # The program gives it up: a task is cancelled, a generator closed, Ctrl-C.
                how = "aborted"
            if isinstance(how, BaseException):
                name = type(how).__name__
                how = "%s: %s" % (name, how) if State.texts else name
            if self.scrub is not None:
                self.write(PIECE, 0, self.kept(self.scrub.rest(), log))
            self.write(END, 0, how[:1000].encode("utf-8", "replace"))
        except Exception as error:
            failed(error)
        finally:
            self.log = None


def address(secure, host, port, url):
    """The address of a request on a connection, which may have it whole."""
    if "://" in url:
        return url
    host = "[%s]" % host if ":" in host else host
    port = "" if port in (None, 443 if secure else 80) else ":%d" % port
    return "%s://%s%s%s" % ("https" if secure else "http", host, port, url)


def stamping(function, before, after):
    """`function` of a connection, with stamps of the request that it is for."""

    @functools.wraps(function)
    def wrapper(self, *more, **named):
        call = inside.get() or NOBODY
        if before:
            call.stamp(before)
        try:
            made = function(self, *more, **named)
        except BaseException as error:
            cut(error)
            raise
        if after:
            call.stamp(after)
        return made

    return wrapper


class Table:
    """Calls by an object of the program, which does not live longer for it."""

    def __init__(self):
        self.calls = weakref.WeakKeyDictionary()

    def put(self, key, call):
        try:
            self.calls[key] = call
        except TypeError:
            # Its class has an order of its own, or knows no weak references.
            call.end("aborted")

    def get(self, key):
        try:
            return self.calls.get(key, NOBODY)
        except TypeError:
            return NOBODY

    def take(self, key):
        try:
            return self.calls.pop(key, NOBODY)
        except TypeError:
            return NOBODY


NOBODY = object.__new__(Call)
NOBODY.log, NOBODY.whole, NOBODY.busy = None, False, False


def install(module, folder):
    """`module` is one of LIBRARIES, just imported."""
    if State.folder is None:
        State.folder, State.texts = folder, not os.path.exists(folder + "/no-texts")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=forked)
    ours = agent.load(LIBRARIES[module.__name__])
    ours.install(module, agent.loaded["_http"])
