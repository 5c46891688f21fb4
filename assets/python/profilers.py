"""The profilers of profile_run.py, and how each gives way to a profiler that the program uses itself.

The program's own profiler must work as ever and must not see us: no function of ours among its results, no return from
something whose call it has not seen.
"""

import sys

# Whose calls are measured, where each thread has a profile function of its own. Set by profile_run.py, as is what
# files are ours.
OUR_THREAD = None
OUR_FILES = ()


class Whole:
    """A file that has its name only once it is whole."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self.path + ".part"

    def __exit__(self, kind, *_error):
        import os

        if kind is None:
            os.replace(self.path + ".part", self.path)


def in_our_thread():
    return sys.modules["_thread"].get_ident() == OUR_THREAD


class Profiler:
    """One profiler. It can be interrupted, while the program uses one of its own that needs the same thing."""

    # Whether it is the interpreter's one profile function, of which there is one per thread.
    needs_hook = True
    # Whether it measures all threads, as long as there are any.
    all_threads = False

    def __init__(self):
        self.on = False
        # True while we switch it ourselves.
        self.busy = False
        self.since = None
        self.gaps = 0
        self.gap_seconds = 0.0
        self.lost = False

    def start(self):
        self.busy = True
        try:
            self.begin()
            self.token = get_hook() if self.needs_hook else None
            self.on = True
        finally:
            self.busy = False

    def stop(self):
        if not self.on:
            self.count()
            return
        self.lost |= self.needs_hook and in_our_thread() and get_hook() is not self.token
        self.busy, self.on = True, False
        self.end()

    def leave_thread(self):
        """Measures our thread no more, but all others."""
        if self.on and not self.lost and in_our_thread():
            self.lost = get_hook() is not self.token
            if not self.lost:
                set_hook(None)
                self.token = None

    def pause(self):
        """Steps back for the program's own profiler. True when it ran."""
        if self.busy or not self.on:
            return False
        import time

        self.busy, self.on = True, False
        try:
            self.end()
        finally:
            self.busy = False
        self.gaps += 1
        self.since = time.perf_counter()
        return True

    def resume(self):
        """After that. True when it runs again."""
        if self.busy or self.on or self.since is None:
            return False
        self.count()
        self.start()
        return True

    def count(self):
        import time

        if self.since is not None:
            self.gap_seconds += time.perf_counter() - self.since
            self.since = None

    def about(self):
        return {"gaps": self.gaps, "gap_seconds": self.gap_seconds, "lost": self.lost}


class CProfile(Profiler):
    # From Python 3.12 on it listens through sys.monitoring instead.
    needs_hook = sys.version_info < (3, 12)

    def __init__(self):
        Profiler.__init__(self)
        with OnlyStandardLibrary():
            import cProfile

        self.profile = cProfile.Profile()
        # The methods as they are before anything is put in front of them.
        self.begin, self.end, self.read = self.profile.enable, self.profile.disable, self.profile.create_stats

    def watch(self):
        if not self.needs_hook:
            watch_tool(self)

    def write(self, folder):
        import marshal

        self.read()
        stats = without_us(self.profile.stats)
        with Whole(folder + "/cprofile.prof") as path:
            with open(path, "wb") as file:
                marshal.dump(stats, file)


def without_us(stats):
    """What we did in between is no part of the program."""
    left = {}
    for key, (primitive, calls, own, total, callers) in stats.items():
        if key[0] in OUR_FILES:
            continue
        for caller, (all_calls, primitive_calls, own_there, total_there) in callers.items():
            if caller[0] in OUR_FILES:
                calls, primitive = calls - all_calls, primitive - primitive_calls
                own, total = own - own_there, total - total_there
        others = {caller: costs for caller, costs in callers.items() if caller[0] not in OUR_FILES}
        if calls > 0 or not callers:
            left[key] = (primitive, calls, own, total, others)
    return left


class Pyinstrument(Profiler):
    def __init__(self):
        Profiler.__init__(self)
        import pyinstrument

        self.profiler = pyinstrument.Profiler(interval=0.001)
        self.begin, self.end = self.profiler.start, self.profiler.stop

    def watch(self):
        """Two at once in one context are an error."""
        from pyinstrument.stack_sampler import StackSampler

        subscribe, unsubscribe = StackSampler.subscribe, StackSampler.unsubscribe

        def enters(sampler, *arguments, **named):
            stepped_back = in_our_thread() and self.pause()
            try:
                return subscribe(sampler, *arguments, **named)
            except BaseException:
                if stepped_back:
                    self.resume()
                raise

        def leaves(sampler, *arguments, **named):
            result = unsubscribe(sampler, *arguments, **named)
            if not sampler.subscribers and in_our_thread():
                self.resume()
            return result

        StackSampler.subscribe, StackSampler.unsubscribe = enters, leaves

    def write(self, folder):
        session = self.profiler.last_session
        # What runs around the program is no part of it. A frame is its function's name, file and line.
        session.frame_records = [(list(filter(is_the_programs, frames)), time) for frames, time in session.frame_records]
        if getattr(session, "start_call_stack", None):
            session.start_call_stack = list(filter(is_the_programs, session.start_call_stack))
        with Whole(folder + "/pyinstrument.pyisession") as path:
            session.save(path)


def is_the_programs(frame):
    return not any("\0%s\0" % file in frame for file in OUR_FILES)


class Yappi(Profiler):
    all_threads = True
    # What a program calls of it before it reads anything.
    CALLS = (
        "start stop clear_stats is_running get_func_stats get_thread_stats get_greenlet_stats get_clock_type "
        "set_clock_type set_context_backend set_context_id_callback set_context_name_callback set_tag_callback"
    )

    def __init__(self, clock):
        Profiler.__init__(self)
        import yappi

        self.yappi, self.name, self.stats = yappi, "yappi-" + clock, None
        yappi.set_clock_type(clock)

    def watch(self):
        """There is one in a process: the program's own takes its place for good."""
        self.originals = {name: getattr(self.yappi, name) for name in self.CALLS.split() if hasattr(self.yappi, name)}

        def in_front_of(name):
            def call(*arguments, **named):
                if self.on and not self.busy:
                    self.give_up()
                return self.originals[name](*arguments, **named)

            return call

        for name in self.originals:
            setattr(self.yappi, name, in_front_of(name))

    def give_up(self):
        for name, original in self.originals.items():
            setattr(self.yappi, name, original)
        self.pause()
        self.stats = self.yappi.get_func_stats()
        self.yappi.clear_stats()
        # As it is when nobody has set another.
        self.yappi.set_clock_type("cpu")

    def begin(self):
        self.yappi.start(builtins=True)

    def end(self):
        self.yappi.stop()

    def write(self, folder):
        stats = self.yappi.get_func_stats() if self.stats is None else self.stats
        with Whole(folder + "/" + self.name + ".prof") as path:
            stats.save(path, type="pstat")


PROFILERS = {
    "cprofile": CProfile,
    "pyinstrument": Pyinstrument,
    "yappi-wall": lambda: Yappi("wall"),
    "yappi-cpu": lambda: Yappi("cpu"),
}


class OnlyStandardLibrary:
    """While we import for ourselves: a program's or a PYTHONPATH's `profile.py` is not what we want."""

    def __enter__(self):
        import os

        self.path = sys.path[:]
        library = os.path.dirname(os.__file__)
        sys.path[:] = [p for p in sys.path if p == library or p.startswith(library + os.sep) or p.endswith(".zip")]

    def __exit__(self, *_error):
        sys.path[:] = self.path


get_hook, set_hook = sys.getprofile, sys.setprofile


def hide_hook(profiler):
    """The program sees no profile function but its own, which takes the place of ours for good.

    Its function must not see a return from something whose call it has not seen: neither from a function of ours nor,
    where our profiler was told of the call, from the built-in.
    """
    from _functools import partial

    # The call of this is none of a built-in, and has no frame.
    sys.setprofile = partial(set_hook)
    if not profiler.needs_hook:
        return

    def step_back(kind, *arguments):
        if not profiler.busy and in_our_thread():
            if arguments != (None,):
                profiler.pause()
                sys.setprofile, sys.getprofile = set_hook, get_hook
            elif profiler.on:
                return None
        return object.__new__(kind)

    # Of the call of this class only the first half is ours.
    sys.setprofile = type("setprofile", (), {"__new__": step_back, "__init__": set_hook})
    sys.getprofile = lambda: None if get_hook() is profiler.token else get_hook()


def watch_cprofile(profiler):
    """Before Python 3.12: the program's own cProfile takes the place of our profiler until its result is read.

    What stands in front of its methods is there only when the program's profiler does not see it.
    """
    with OnlyStandardLibrary():
        from cProfile import Profile
    plain_enable, plain_disable, plain_snapshot = Profile.enable, Profile.disable, Profile.snapshot_stats

    def watched(on):
        Profile.enable, Profile.disable = (enable, disable) if on else (plain_enable, plain_disable)

    def enable(profile, *arguments, **named):
        if in_our_thread() and profiler.pause():
            watched(False)
        return plain_enable(profile, *arguments, **named)

    def disable(profile):
        # One that does not run would end ours.
        if profiler.busy or not in_our_thread():
            plain_disable(profile)

    def snapshot_stats(profile):
        if in_our_thread() and get_hook() is None and profiler.resume():
            watched(True)
        return plain_snapshot(profile)

    watched(True)
    Profile.snapshot_stats = snapshot_stats


def watch_tool(profiler):
    """Python 3.12 on: who wants the number that cProfile has among the tools of sys.monitoring, gets it."""
    monitoring = sys.monitoring
    number = monitoring.PROFILER_ID
    use, free, get = monitoring.use_tool_id, monitoring.free_tool_id, monitoring.get_tool

    def use_tool_id(*arguments):
        if arguments[:1] != (number,) or not profiler.pause():
            return use(*arguments)
        monitoring.use_tool_id = use
        try:
            return use(*arguments)
        except BaseException:
            again()
            raise

    def free_tool_id(*arguments):
        if profiler.busy or arguments != (number,):
            return free(*arguments)
        if not profiler.on:
            free(*arguments)
            again()

    def get_tool(*arguments):
        return None if profiler.on and arguments == (number,) else get(*arguments)

    def again():
        if profiler.resume():
            monitoring.use_tool_id = use_tool_id

    monitoring.use_tool_id, monitoring.free_tool_id, monitoring.get_tool = use_tool_id, free_tool_id, get_tool


def choose(wanted):
    """The profilers by name, in the order in which they were wanted, and why others are left out."""
    chosen, missing, hook = {}, [], ""
    for name in wanted.split(","):
        if name in chosen:
            continue
        needs_hook = name != "cprofile" or CProfile.needs_hook
        if hook and needs_hook:
            missing.append((name, "%s has the interpreter's one profile function" % hook))
            continue
        try:
            chosen[name] = PROFILERS[name]()
        except ImportError as error:
            missing.append((name, str(error)))
            continue
        if needs_hook:
            hook = name
    if not chosen and "cprofile" not in wanted.split(","):
        return choose("cprofile")[0], missing
    return chosen, missing


def watch(profilers):
    """The program's own profilers are to work as ever."""
    for profiler in profilers:
        profiler.watch()
        if profiler.needs_hook and sys.version_info < (3, 12):
            watch_cprofile(profiler)
    # At most one has the profile function.
    for profiler in sorted(profilers, key=lambda p: not p.needs_hook)[:1]:
        hide_hook(profiler)
