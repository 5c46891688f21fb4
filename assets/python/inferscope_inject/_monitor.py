"""Tasks and coroutines by `sys.monitoring`, from Python 3.12 on: exact, and nothing of the program is wrapped.

Nothing is on until a loop runs. Then PY_START is on for all code and switched off at once, place by place, where it is no
coroutine's. Returns are local to
coroutines; suspensions to those that are a task's outermost one (its root), because a suspension passes all frames between. What
throws into coroutines and unwinds them has no local events before 3.15.

Callbacks are called often: they use what their closure holds, call nothing that they need not, and write records themselves.
"""
import asyncio
import functools
import sys
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE

# Free for anybody: neither debuggers, coverage, profilers nor optimisers.
TOOLS = (4, 3)
COROUTINE = CO_COROUTINE | CO_ITERABLE_COROUTINE


def is_possible():
    return hasattr(sys, "monitoring") and any(sys.monitoring.get_tool(tool) is None for tool in TOOLS)


def start_engine(r, books, common):
    """`r` is the module of records, `common` what all engines share."""
    monitoring, frame, now = sys.monitoring, sys._getframe, r.now
    events, DISABLE = monitoring.events, monitoring.DISABLE
    tool = next(tool for tool in TOOLS if monitoring.get_tool(tool) is None)
    START, ROOT, READY, ON, OFF = r.START, r.ROOT, r.READY, r.ON, r.OFF
    AGEN_IN, AGEN_OUT = r.AGEN_IN, r.AGEN_OUT
    local, thread, guard = books.local, books.thread, books.guard
    # By the id of a code object: the word of its START.
    words, generators, wakers = {}, {}, {}
    get, waker_of, task_now = words.get, wakers.get, asyncio.tasks.current_task
    tasks, Future = common.tasks, asyncio.Future
    number_of = tasks.get
    CALL_SOON, CREATE = asyncio.BaseEventLoop.call_soon.__code__, asyncio.BaseEventLoop.create_task.__code__
    TIMER = asyncio.futures._set_result_unless_cancelled.__code__
    # By the id of a code object: what is called when it starts, and when it has returned; and these code objects.
    begins, ends, watched = {}, {}, []
    resumes = {}
    # Tasks by their ids whose outermost coroutine is compiled, or an object that passes for one: their end is seen by who hears of it.
    bodiless = {}
    # Whether a task ran inside another one's step: one that starts eagerly, or a loop within a loop.
    nested = False

    def learn(code):
        if code.co_filename.startswith(r.OURS):
            # What watches a library is no coroutine of the program.
            return 0
        flags = code.co_flags
        if flags & CO_ASYNC_GENERATOR:
            books.remember(code, generators, True)
            on = events.PY_RETURN | events.PY_YIELD | events.PY_RESUME
        elif flags & COROUTINE:
            on = events.PY_RETURN
        else:
            return 0
        word = START | books.code(code) << 8
        books.remember(code, words, word)
        monitoring.set_local_events(tool, code, on)
        return word

    def root(code):
        """Its suspensions are a task's."""
        word = get(id(code))
        if word is None:
            word = learn(code)
        if word and word < ROOT and id(code) not in generators:
            word = words[id(code)] = word | ROOT
            monitoring.set_local_events(tool, code, events.PY_RETURN | events.PY_YIELD | events.PY_RESUME)
        return word

    def enter(s):
        """A coroutine runs. True when it does so in a task."""
        nonlocal nested
        try:
            task = task_now()
        except RuntimeError:
            return False
        if task is None:
            return False
        n = number_of(id(task))
        if n is None:
            n = common.new(s, task)
        if s.cur != n:
            if s.cur is not None:
                # The first step of an eager task, in that of its creator.
                nested = True
                s.outer.append(s.cur)
            s.cur = n
            s.put(ON | n << 8)
        return True

    def is_on(s):
        """The task that runs is the one that is on."""
        return number_of(id(task_now())) == s.cur

    def is_told(arguments):
        """Somebody is about to hear that a future has ended."""
        task = arguments[0] if arguments else None
        if id(task) in bodiless and task.done():
            del bodiless[id(task)]
            common.ended(thread(), task)

    def start(code, offset):
        try:
            word = get(id(code))
            if word is None:
                if code is CALL_SOON:
                    here = frame(1)
                    names = here.f_locals
                    if bodiless:
                        is_told(names["args"])
                    n = number_of(id(getattr(names["callback"], "__self__", None)))
                    if n is None:
                        return
                    try:
                        s = local.s
                    except AttributeError:
                        s = thread()
                    by = here.f_back
                    code = by.f_code
                    w = waker_of(id(code))
                    if w is None:
                        w = READY | (books.code(code) & 0x3FFFFF) << 40
                        books.remember(code, wakers, w)
                    s.put(w | n << 8)
                    if code is TIMER:
                        common.late(s, n, by)
                    return
                begin = begins.get(id(code))
                if begin is not None:
                    return begin()
                word = learn(code)
                if not word:
                    return DISABLE
            try:
                s = local.s
            except AttributeError:
                s = thread()
            if s.cur is None:
                word = root(code)
                if not enter(s):
                    return
            elif word > ROOT:
                enter(s)
            elif number_of(id(task_now())) != s.cur:
                # Outermost of a task that starts eagerly, made by its class.
                word = root(code)
                enter(s)
            i = s.i
            mv = s.mv
            try:
                mv[i + 1] = word
            except IndexError:
                s.put(word)
                return
            mv[i] = now()
            s.i = i + 2
        except Exception as error:
            guard(error)

    def leave(s, state, exception):
        """The task that is on has ended, if the calling frame is its outermost one."""
        task = task_now()
        coroutine = task.get_coro()
        own = getattr(coroutine, "cr_frame", getattr(coroutine, "gi_frame", s))
        if own is not None and own is not s and own is not frame(2):
            return
        if own is s:
            # A compiled coroutine, in which this one ended.
            s.put(OFF | r.NOTHING << 8)
            if id(task) not in bodiless:
                books.remember(task, bodiless, True)
        else:
            common.end(s, task, state, exception)
            s.put(OFF | r.ENDED << 8)
        s.cur = None
        if s.outer:
            s.cur = s.outer.pop()
            s.put(ON | s.cur << 8)

    def returned(code, offset, value):
        try:
            word = get(id(code))
            if word is None:
                end = ends.get(id(code))
                return end(value) if end is not None else None
            try:
                s = local.s
            except AttributeError:
                return
            if s.cur is None:
                return
            i = s.i
            mv = s.mv
            try:
                mv[i + 1] = word + 1
            except IndexError:
                s.put(word + 1)
            else:
                mv[i] = now()
                s.i = i + 2
            if word > ROOT:
                leave(s, r.RETURNED, 0)
        except Exception as error:
            guard(error)

    def yielded(code, offset, value):
        try:
            word = get(id(code))
            if word is None:
                return DISABLE
            s = local.s
            if word < ROOT:
                if id(code) in generators and type(value).__name__ == "async_generator_wrapped_value":
                    if s.cur is not None:
                        s.put(AGEN_OUT | (word >> 8 & 0xFFFFFF) << 8)
                    return
                return DISABLE
            if s.cur is None or nested and not is_on(s):
                return
            word = OFF if value is None else OFF | common.waits_for(s, value) << 8
            i = s.i
            mv = s.mv
            try:
                mv[i + 1] = word
            except IndexError:
                s.put(word)
            else:
                mv[i] = now()
                s.i = i + 2
            s.cur = None
            if s.outer:
                s.cur = s.outer.pop()
                s.put(ON | s.cur << 8)
        except Exception as error:
            guard(error)

    def resumed(code, offset):
        try:
            word = get(id(code))
            if word is None:
                return DISABLE
            try:
                s = local.s
            except AttributeError:
                # A thread that takes on another one's loop.
                s = thread()
            if word < ROOT:
                if id(code) not in generators:
                    return DISABLE
                after_yield = resumes.get((word, offset))
                if after_yield is None:
                    # The instruction says what it resumes after: 1 a yield, 3 an await.
                    after_yield = resumes[word, offset] = code.co_code[offset + 1] & 3 == 1
                if not after_yield:
                    return DISABLE
                if s.cur is not None:
                    s.put(AGEN_IN | (word >> 8 & 0xFFFFFF) << 8)
                return
            if s.cur is None or nested:
                enter(s)
        except Exception as error:
            guard(error)

    def unwound(code, offset, exception):
        try:
            word = get(id(code))
            if word is None:
                end = ends.get(id(code))
                if end is not None:
                    end(None)
                return
            s = local.s
            if s.cur is None:
                return
            name = books.symbol((type(exception).__name__,))
            s.put(r.UNWIND | (word >> 8 & 0xFFFFFF) << 8 | (name & 0xFFFFFF) << 40)
            if word > ROOT:
                cancelled = isinstance(exception, asyncio.CancelledError)
                leave(s, r.CANCELLED if cancelled else r.FAILED, name)
        except Exception as error:
            guard(error)

    def thrown(code, offset, exception):
        try:
            word = get(id(code))
            if word is None:
                word = learn(code)
                if not word:
                    return
            try:
                s = local.s
            except AttributeError:
                s = thread()
            closing = isinstance(exception, GeneratorExit)
            if not closing:
                # Frames further out see nothing of it: when this one goes on to wait, the task does.
                root(code)
                if s.cur is None or nested:
                    enter(s)
            if s.cur is not None:
                s.put(r.THROW | (word >> 8 & 0xFFFFFF) << 8 | closing << 40)
        except Exception as error:
            guard(error)

    def task_begins():
        if not monitoring.get_events(tool):
            # Loops of other kinds have a run_forever of their own.
            loop_runs()
        # Its root is known before it runs.
        code = getattr(frame(2).f_locals["coro"], "cr_code", None)
        if code is not None:
            root(code)

    def task_is_made(task):
        if isinstance(task, asyncio.Task) and not task.done():
            common.told(thread(), task, frame(2))

    def watch(code, begin, end):
        """Calls `begin` in the callback of its start, `end(value)` in that of its return; both see it as frame(2)."""
        watched.append(code)
        if begin is not None:
            begins[id(code)] = begin
        if end is not None:
            ends[id(code)] = end
            monitoring.set_local_events(tool, code, events.PY_RETURN)

    def loop_runs():
        monitoring.set_events(tool, events.PY_START | events.PY_UNWIND | events.PY_THROW)

    use = monitoring.use_tool_id

    def take():
        use(tool, "inferscope")
        for event, callback in callbacks:
            monitoring.register_callback(tool, event, callback)

    def let_go():
        """Leaves nothing at our number. Gives what was on: for all code, and for which code objects."""
        on, local = monitoring.get_events(tool), []
        known = (reference() for (_, table), reference in list(r.references.items()) if table in (id(words), id(generators)))
        for code in [code for code in known if code is not None] + watched:
            local.append((code, monitoring.get_local_events(tool, code)))
            monitoring.set_local_events(tool, code, 0)
        monitoring.set_events(tool, 0)
        for event, _ in callbacks:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
        return on, local

    @functools.wraps(use)
    def use_tool_id(tool_id, name, /):
        if tool_id == tool and not books.stopped:
            try:
                give_way()
            except Exception as error:
                guard(error)
        return use(tool_id, name)

    def give_way():
        """The program wants our number: it gets it, and we take the other one."""
        nonlocal tool
        free = [other for other in TOOLS if other != tool and monitoring.get_tool(other) is None]
        if not free:
            raise r.Taken
        on, local = let_go()
        tool = free[0]
        take()
        for code, events_of_it in local:
            if events_of_it:
                monitoring.set_local_events(tool, code, events_of_it)
        monitoring.set_events(tool, on)

    def stop():
        monitoring.use_tool_id = use
        let_go()

    books.at_stop.append(stop)
    callbacks = [
        (events.PY_START, start),
        (events.PY_RETURN, returned),
        (events.PY_YIELD, yielded),
        (events.PY_RESUME, resumed),
        (events.PY_UNWIND, unwound),
        (events.PY_THROW, thrown),
    ]
    take()
    monitoring.use_tool_id = use_tool_id
    watch(CREATE, task_begins, task_is_made)
    common.watch_executors(watch)
    run = asyncio.BaseEventLoop.run_forever.__code__
    watch(run, loop_runs, None)
    for code in (run, CREATE):
        monitoring.set_local_events(tool, code, monitoring.get_local_events(tool, code) | events.PY_START)
    # Other loops are compiled, and may run in any thread by now.
    common.loop_runs = loop_runs
