"""Spans while something records: one line of a Chrome trace each, written when the span ends. The file is whole after each
line, so a killed program has left all but its open spans."""

import collections.abc
import functools
import heapq
import inspect
import json
import os
import sys
import threading
import time

from . import FOLDER


END = "\n]}\n"


class Trace:
    """The file of this process, made with its first span."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begin()

    def begin(self):
        self.file = None
        self.broken = False
        self.origin = time.perf_counter_ns()
        self.unix = time.time_ns()
        self.tracks = {}
        self.tasks = {}
        self.free = []
        self.slots = 0

    def forked(self):
        """The child of a fork has a file of its own; the lock may have been held by a thread that it lacks."""
        self.lock = threading.Lock()
        if self.file is not None:
            os.close(self.file)
        self.begin()

    def open(self):
        path = os.path.join(FOLDER, "spans-%d.json" % os.getpid())
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600)
        head = '{"baseTimeNanoseconds":%d,"displayTimeUnit":"ns","traceEvents":[\n' % self.unix
        self.put(head + self.name("process_name", 0, " ".join(sys.argv)[:200] or "python") + END)

    def name(self, kind, track, text):
        event = {"name": kind, "ph": "M", "pid": os.getpid(), "tid": track, "args": {"name": text}}
        return json.dumps(event)

    def put(self, text):
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self.file, data):]

    def write(self, line, track, track_name):
        """Appends an event, with the name of its track when that is new."""
        with self.lock:
            if self.broken:
                return
            try:
                if self.file is None:
                    self.open()
                if self.tracks.get(track) != track_name:
                    self.tracks[track] = track_name
                    line = self.name("thread_name", track, track_name) + ",\n" + line
                os.lseek(self.file, -len(END), os.SEEK_END)
                self.put(",\n" + line + END)
            except OSError as error:
                # The program goes on; a full disk is no reason to stop it.
                self.broken = True
                sys.stderr.write("inferscope: spans are not recorded any more: %s\n" % error)

    def enter(self):
        """The track of what starts now. A task of asyncio has one of its own as long as it is in a span: what awaits
        does not call what runs meanwhile."""
        task = current_task()
        if task is None:
            return threading.get_ident(), None
        with self.lock:
            slot = self.tasks.get(task)
            if slot is None:
                if self.free:
                    number = heapq.heappop(self.free)
                else:
                    self.slots += 1
                    number = self.slots
                slot = self.tasks[task] = [number, 0]
            slot[1] += 1
            return slot[0], task

    def leave(self, task):
        if task is None:
            return
        with self.lock:
            slot = self.tasks.get(task)
            if slot is None:
                return
            slot[1] -= 1
            if slot[1] == 0:
                del self.tasks[task]
                heapq.heappush(self.free, slot[0])


def current_task():
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    return asyncio.current_task()


TRACE = Trace()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TRACE.forked)


def plain(value):
    """A value that JSON has, or its text, both of bounded length."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    try:
        return str(value)[:1000]
    except Exception as error:
        return "(%s)" % type(error).__name__


class span:
    """A span from here to the end of the ``with`` block. ``values`` are shown with it."""

    __slots__ = ("name", "values", "where", "start")

    def __init__(self, name, **values):
        self.name = name
        self.values = values

    def __enter__(self):
        self.where = TRACE.enter()
        self.start = time.perf_counter_ns()
        return self

    def __exit__(self, kind, _error, _trace):
        end = time.perf_counter_ns()
        track, task = self.where
        values = {key: plain(value) for key, value in self.values.items()}
        if kind is not None and not issubclass(kind, (StopIteration, StopAsyncIteration, GeneratorExit)):
            values["error"] = kind.__name__
        start, length = self.start - TRACE.origin, end - self.start
        event = {
            "name": str(self.name),
            "ph": "X",
            "pid": os.getpid(),
            "tid": track,
            "ts": start / 1000,
            "dur": length / 1000,
        }
        if values:
            event["args"] = values
        name = threading.current_thread().name if task is None else "asyncio %d" % track
        TRACE.write(json.dumps(event), track, name)
        TRACE.leave(task)
        return False


class Generator(collections.abc.Generator):
    """A generator with a span for each time that it runs: between them its caller does."""

    def __init__(self, name, generator):
        self.name, self.generator = name, generator

    def send(self, value):
        with span(self.name):
            return self.generator.send(value)

    def throw(self, *error):
        with span(self.name):
            return self.generator.throw(*error)


class AsyncGenerator(collections.abc.AsyncGenerator):
    """The same for an asynchronous one."""

    def __init__(self, name, generator):
        self.name, self.generator = name, generator

    async def asend(self, value):
        with span(self.name):
            return await self.generator.asend(value)

    async def athrow(self, *error):
        with span(self.name):
            return await self.generator.athrow(*error)


def profiled(function=None, *, name=None):
    """Makes each call of a function a span, by its name or another one."""
    if function is None:
        return lambda function: profiled(function, name=name)
    name = name or getattr(function, "__qualname__", None) or repr(function)

    if inspect.iscoroutinefunction(function):

        async def call(*args, **kwargs):
            with span(name):
                return await function(*args, **kwargs)

    elif inspect.isasyncgenfunction(function):

        def call(*args, **kwargs):
            return AsyncGenerator(name, function(*args, **kwargs))

    elif inspect.isgeneratorfunction(function):

        def call(*args, **kwargs):
            return Generator(name, function(*args, **kwargs))

    else:

        def call(*args, **kwargs):
            with span(name):
                return function(*args, **kwargs)

    return functools.wraps(function)(call)
