"""Asyncio's tasks, coroutines and what each await waits for, of an unchanged program: what all engines share.

`_monitor` does it from Python 3.12 on, `_steps` with `_rewrite` before. Records are those of `_records`.
"""
import asyncio
import concurrent.futures.thread
import os
import sys
import time

agent = globals()["agent"]
recorder = None
# Timers that are this late, in µs, were held up by the loop.
LATE = 500


def install(module, folder):
    """`module` is asyncio or uvloop, just imported."""
    global recorder
    if recorder is None:
        recorder = Recorder(folder)
    # In sys.modules it may be half imported: it imports asyncio.
    if module.__name__ == "uvloop":
        recorder.add_loop(module.Loop)


class Recorder:
    def __init__(self, folder):
        r = self.r = agent.load("_records")
        books = self.books = r.Books(folder)
        books.say = agent.say
        common = Common(r, books)
        monitor = agent.load("_monitor")
        self.engine = monitor if monitor.is_possible() else agent.load("_steps")
        self.common = common
        self.engine.start_engine(r, books, common)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.after_fork)

    def add_loop(self, cls):
        """A class of loops whose methods are compiled."""
        self.common.loop_runs()
        agent.load("_steps").hook_loop(cls, self.r, self.books, self.common, self.engine is not agent.load("_monitor"))

    def after_fork(self):
        """The child writes files of its own; those of the parent stay the parent's."""
        books = self.books
        had = hasattr(books.local, "s")
        self.common.tasks.clear()
        books.begin()
        if had and not books.stopped:
            try:
                books.thread()
            except Exception as error:
                books.stop(error)


class Common:
    def __init__(self, r, books):
        self.r, self.books = r, books
        # By identity: numbers of tasks, of executors' jobs by their futures, and of those by what a task awaits.
        self.tasks, self.jobs, self.awaited = {}, {}, {}
        # Names that were told of tasks that have not ended.
        self.names = {}
        self.made = 0
        # Called when a loop is about to run that cannot be seen to.
        self.loop_runs = lambda: None
        self.lock = sys.modules["_thread"].allocate_lock()
        self.skip = (os.path.dirname(asyncio.__file__), r.OURS)

    def number(self):
        with self.lock:
            self.made += 1
            return self.made

    def new(self, s, task, place=""):
        """A task that nobody has told of."""
        n = self.number()
        self.books.remember(task, self.tasks, n)
        coroutine = task.get_coro() if hasattr(task, "get_coro") else None
        code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
        what = getattr(code, "co_qualname", None) or getattr(coroutine, "__qualname__", type(coroutine).__name__)
        name = self.names[n] = str(task.get_name())
        s.text(self.r.NEW, n, name, what, place)
        return n

    def told(self, s, task, frame):
        """A task that was just made by what stands behind this frame."""
        while frame is not None and frame.f_code.co_filename.startswith(self.skip):
            frame = frame.f_back
        place = "%s:%d" % (self.r.whole(frame.f_code.co_filename), frame.f_lineno) if frame is not None else ""
        n = self.tasks.get(id(task))
        if n is None:
            self.new(s, task, place)
        else:
            s.text(self.r.NEW, n, self.names.get(n, ""), "", place)

    def end(self, s, task, state, exception):
        n = self.tasks.get(id(task))
        if n is None:
            n = self.new(s, task)
        told, name = self.names.pop(n, None), str(task.get_name())
        if name != told:
            s.text(self.r.NEW, n, name, "", "")
        s.put(self.r.END | n << 8 | state << 40 | (exception & 0x3FFFFF) << 42)

    def ended(self, s, task):
        """The same of a task that is done."""
        exception, state = 0, self.r.RETURNED
        if task.cancelled():
            state = self.r.CANCELLED
        elif task._exception is not None:
            # The attribute: asking for the exception would mark it as seen.
            state = self.r.FAILED
            exception = self.books.symbol((type(task._exception).__name__,))
        self.end(s, task, state, exception)

    def late(self, s, n, frame):
        """A timer wakes a task: by how much too late? `frame` is that of the call that the timer's handle makes."""
        frame = frame.f_back
        when = getattr(frame.f_locals.get("self"), "_when", None) if frame is not None else None
        if when is not None:
            late = int((time.monotonic() - when) * 1e6)
            if late >= LATE:
                s.put(self.r.LATE | n << 8 | min(late, 0xFFFFFF) << 40)

    def waits_for(self, s, future):
        """What a task yields to its loop, as the argument of an OFF."""
        if type(future) is asyncio.Future:
            return self.r.FUTURE | self.awaited.get(id(future), 0) << 3
        n = self.tasks.get(id(future))
        if n is not None:
            return self.r.TASK | n << 3
        children = getattr(future, "_children", None)
        if children:
            for child in children:
                n = self.tasks.get(id(child))
                if n is not None:
                    s.put(self.r.LINK | n << 8)
            return self.r.MEMBERS | len(children) << 3
        return self.r.FUTURE | self.awaited.get(id(future), 0) << 3

    # Jobs of thread pools. `watch(code, begin, end)` calls begin() and end(value) where frame(2) is the code's.

    def watch_executors(self, watch):
        pool = concurrent.futures.thread
        watch(pool.ThreadPoolExecutor.submit.__code__, None, self.is_submitted)
        watch(pool._WorkItem.run.__code__, self.job_begins, self.job_ends)
        # From then on others may go on with what came of it.
        watch(pool._base.Future.set_result.__code__, self.is_settled, None)
        watch(pool._base.Future.set_exception.__code__, self.is_settled, None)
        watch(asyncio.futures.wrap_future.__code__, None, self.is_wrapped)

    def job(self, future):
        n = self.jobs.get(id(future))
        if n is None:
            n = self.number()
            self.books.remember(future, self.jobs, n)
        return n

    def is_submitted(self, future):
        if future is None or not self.made:
            return
        names = sys._getframe(2).f_locals
        what, arguments = names.get("fn"), names.get("args") or ()
        self.submitted(future, what, arguments)

    def submitted(self, future, what, arguments):
        while True:
            # asyncio.to_thread submits a partial of a context's run, with the function as its argument.
            if hasattr(what, "func"):
                arguments = tuple(getattr(what, "args", ())) + tuple(arguments)
                what = what.func
            elif arguments and type(getattr(what, "__self__", None)).__name__ == "Context" and what.__name__ == "run":
                what, arguments = arguments[0], arguments[1:]
            else:
                break
        name = getattr(what, "__qualname__", None) or type(what).__qualname__
        code = getattr(what, "__code__", None)
        place = "%s:%d" % (self.r.whole(code.co_filename), code.co_firstlineno) if code is not None else ""
        self.books.thread().text(self.r.SUBMIT, self.job(future), name, place)

    def job_begins(self):
        if self.made:
            self.job_runs(sys._getframe(2).f_locals["self"].future)

    def job_runs(self, future):
        self.books.thread().put(self.r.JOB | self.job(future) << 8)
        self.books.local.job = future

    def is_settled(self):
        self.settles(sys._getframe(2).f_locals.get("self"))

    def settles(self, future):
        if future is not None and getattr(self.books.local, "job", None) is future:
            self.job_ends(None)

    def job_ends(self, value):
        local = self.books.local
        if getattr(local, "job", None) is not None:
            local.job = None
            self.books.thread().put(self.r.JOB_END)

    def is_wrapped(self, future):
        self.wrapped(sys._getframe(2).f_locals.get("future"), future)

    def wrapped(self, inner, future):
        n = self.jobs.get(id(inner))
        if n is not None and future is not None and future is not inner:
            self.books.remember(future, self.awaited, n)
