"""Tasks and coroutines before Python 3.12, and of loops that are compiled: each step of a task by the loop's `call_soon`.

All that wakes a task goes through `call_soon`. What is scheduled there is put into a Step, which stamps both ends and
reads the chain of awaits when the task is suspended. `_rewrite` adds exact calls of the program's own coroutines.
"""
import asyncio
import functools
import sys

DEEPEST = 64


def start_engine(r, books, common):
    hook_loop(asyncio.BaseEventLoop, r, books, common, True)
    common.watch_executors(Watcher(books, common).watch)
    if agent.finder is not None:
        agent.finder.bind(r, books)


def hook_loop(cls, r, books, common, steps):
    """`steps`: whether steps are known by this alone."""
    soon, create = cls.call_soon, cls.create_task
    frame, local, thread, guard = sys._getframe, books.local, books.thread, books.guard
    number_of, wakers = common.tasks.get, {}
    waker_of = wakers.get
    TIMER = asyncio.futures._set_result_unless_cancelled.__code__
    Tasks = (asyncio.Task, asyncio.tasks._PyTask)

    def woken(callback, by):
        """What is scheduled instead of a callback, where that is a step of a task."""
        task = getattr(callback, "__self__", None)
        n = number_of(id(task))
        is_first = n is None
        if is_first:
            if not steps or not isinstance(task, Tasks):
                return callback
            # From within the making of the task.
            n = common.new(thread(), task)
        else:
            try:
                s = local.s
            except AttributeError:
                s = thread()
            code = by.f_code
            w = waker_of(id(code))
            if w is None:
                w = r.READY | (books.code(code) & 0x3FFFFF) << 40
                books.remember(code, wakers, w)
            s.put(w | n << 8)
            if code is TIMER:
                common.late(s, n, by)
        return Step(callback, task, n, is_first, r, books, common) if steps else callback

    def call_soon(self, callback, *args, context=None):
        if not books.stopped:
            try:
                callback = woken(callback, frame(1))
            except Exception as error:
                guard(error)
        handle = soon(self, callback, *args, context=context)
        trim(handle)
        return handle

    def create_task(self, coro, **named):
        task = create(self, coro, **named)
        trim(task)
        if not books.stopped:
            try:
                if isinstance(task, Tasks) and not task.done():
                    common.told(thread(), task, frame(1))
            except Exception as error:
                guard(error)
        return task

    cls.call_soon = functools.update_wrapper(call_soon, soon)
    cls.create_task = functools.update_wrapper(create_task, create)

    def take_back():
        cls.call_soon, cls.create_task = soon, create

    books.at_stop.append(take_back)


def trim(made):
    """In debug mode the place where something was made is remembered: that is not here."""
    trace = getattr(made, "_source_traceback", None)
    if trace and trace[-1].filename == __file__:
        del trace[-1]


class Step:
    """A step of a task. By __self__ asyncio's debug mode knows whose it is."""

    __slots__ = ("__self__", "call", "n", "is_first", "r", "books", "common")

    def __init__(self, call, task, n, is_first, r, books, common):
        self.__self__, self.call, self.n, self.is_first = task, call, n, is_first
        self.r, self.books, self.common = r, books, common

    def __call__(self, *args):
        books = self.books
        try:
            try:
                s = books.local.s
            except AttributeError:
                s = books.thread()
            outer, s.cur = s.cur, self.n
            s.put(self.r.ON | self.n << 8)
        except Exception as error:
            books.guard(error)
            return self.call(*args)
        try:
            self.call(*args)
        finally:
            if not books.stopped:
                try:
                    self.ended(s, self.__self__)
                    if outer is not None:
                        # That of the loop around this one goes on.
                        s.put(self.r.ON | outer << 8)
                except Exception as error:
                    books.guard(error)
            s.cur = outer

    def __repr__(self):
        return repr(self.call)

    def ended(self, s, task):
        r = self.r
        if task.done():
            if self.is_first:
                alone(s, task, r, self.books)
            self.common.ended(s, task)
            s.put(r.OFF | r.ENDED << 8)
            return
        chain(s, task, r, self.books)
        waiter = task._fut_waiter
        s.put(r.OFF if waiter is None else r.OFF | self.common.waits_for(s, waiter) << 8)


# Iterators that know the generator or coroutine they stand for, and do not say so.
OPAQUE = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable")


def chain(s, task, r, books):
    """The coroutines that are open in a suspended task, outermost first."""
    open_one, found = task.get_coro(), []
    while open_one is not None and len(found) < DEEPEST:
        code = getattr(open_one, "cr_code", None)
        if code is not None:
            inner = open_one.cr_await
        elif hasattr(open_one, "gi_code"):
            code, inner = open_one.gi_code, open_one.gi_yieldfrom
        elif hasattr(open_one, "ag_code"):
            code, inner = open_one.ag_code, open_one.ag_await
        elif type(open_one).__name__ in OPAQUE:
            import gc

            behind = (o for o in gc.get_referents(open_one) if hasattr(o, "ag_code") or hasattr(o, "cr_code"))
            open_one = next(behind, None)
            continue
        else:
            break
        number = books.codes.get(id(code))
        # What watches a library is no coroutine of the program.
        if number is not None or not code.co_filename.startswith(r.OURS):
            found.append((books.code(code) if number is None else number, id(open_one)))
        open_one = inner
    put_chain(s, found, r)


def alone(s, task, r, books):
    """The coroutine of a task that never waits, where its calls are not recorded."""
    coroutine = task.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    if code is not None and books.known(code) is None:
        put_chain(s, [(books.code(code), id(coroutine))], r)


def put_chain(s, found, r):
    if s.i + 2 + 2 * len(found) > len(s.mv):
        s.roll()
    i, mv = s.i, s.mv
    at = i + 2
    for number, identity in found:
        mv[at], mv[at + 1] = number, identity & 0xFFFFFFFFFFFFFFFF
        at += 2
    mv[i + 1] = r.CHAIN | len(found) << 8
    mv[i] = r.now()
    s.i = at


class Watcher:
    """Jobs of thread pools, by what stands in front of three functions."""

    def __init__(self, books, common):
        self.books, self.common = books, common

    def watch(self, code, begin, end):
        """Only what `Common.watch_executors` watches."""
        pool, common, books = sys.modules["concurrent.futures.thread"], self.common, self.books

        def guarded(call, *arguments):
            if not books.stopped and common.made:
                try:
                    call(*arguments)
                except Exception as error:
                    books.guard(error)

        if code is pool.ThreadPoolExecutor.submit.__code__:
            submit = pool.ThreadPoolExecutor.submit

            def submit_job(self, fn, *args, **named):
                future = submit(self, fn, *args, **named)
                guarded(common.submitted, future, fn, args)
                return future

            pool.ThreadPoolExecutor.submit = functools.update_wrapper(submit_job, submit)
        elif code is pool._WorkItem.run.__code__:
            run = pool._WorkItem.run

            def run_job(self):
                guarded(common.job_runs, self.future)
                try:
                    return run(self)
                finally:
                    guarded(common.job_ends, None)

            pool._WorkItem.run = functools.update_wrapper(run_job, run)
        elif code in (pool._base.Future.set_result.__code__, pool._base.Future.set_exception.__code__):
            settle = getattr(pool._base.Future, code.co_name)

            def settles(self, value):
                guarded(common.settles, self)
                return settle(self, value)

            setattr(pool._base.Future, code.co_name, functools.update_wrapper(settles, settle))
        else:
            wrap = asyncio.futures.wrap_future

            def wrap_future(future, *, loop=None):
                mine = wrap(future, loop=loop)
                guarded(common.wrapped, future, mine)
                return mine

            asyncio.futures.wrap_future = asyncio.wrap_future = functools.update_wrapper(wrap_future, wrap)
