"""Runs torch.profiler around a program that imports torch, on the thread that does so first, when that is the main one.

What it records is one trace after the other, each of some seconds, because all of one is in memory until it is written; between
two the program goes on unrecorded while a trace is written. A program that starts a profiler of its own has it for itself from then
on. What is to be told goes to a file of notes beside the traces.
"""
import os
import sys
import time

# Of all traces of a process. Then there are no more.
MOST_BYTES = 1 << 29


class Recorder:
    def __init__(self, torch, folder, seconds, options):
        self.torch, self.folder, self.options = torch, folder, options
        self.seconds, self.pid, self.parts, self.bytes = seconds, os.getpid(), 0, 0
        self.profile = self.starting = self.timer = None

    def note(self, text):
        with open("%s/torch-%d.notes" % (self.folder, self.pid), "a") as file:
            file.write(text + "\n")

    def start(self):
        profiler = self.torch.profiler
        activities = [profiler.ProfilerActivity.CPU]
        # Whether there is a GPU is asked by files: to ask CUDA would begin it, and a fork afterwards would have none.
        if os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd"):
            activities.append(profiler.ProfilerActivity.CUDA)
        profile = profiler.profile(
            activities=activities,
            record_shapes="shapes" in self.options,
            profile_memory="memory" in self.options,
            with_stack="stacks" in self.options,
        )
        self.starting = True
        try:
            profile.start()
        finally:
            self.starting = None
        self.profile = profile

    def stop(self):
        """Ends a trace and writes it."""
        profile, self.profile = self.profile, None
        if profile is None or self.pid != os.getpid():
            return
        path = "%s/torch-%d-%03d.pt.trace.json" % (self.folder, self.pid, self.parts)
        self.parts += 1
        self.starting = True
        try:
            profile.stop()
            profile.export_chrome_trace(path + ".part")
            os.replace(path + ".part", path)
        finally:
            self.starting = None
        self.bytes += os.path.getsize(path)

    def roll(self):
        """In the main thread: the next trace."""
        if self.profile is None or self.pid != os.getpid():
            return
        begun = time.perf_counter()
        try:
            self.stop()
            if self.bytes > MOST_BYTES:
                self.note("torch.profiler was ended: its traces had reached %d MiB" % (self.bytes >> 20))
                return
            self.start()
            self.note("gap %.6f" % (time.perf_counter() - begun))
        except Exception as error:
            self.note("torch.profiler was ended: %s: %s" % (type(error).__name__, error))

    def finish(self):
        try:
            if self.timer is not None:
                self.timer.stop()
            self.stop()
        except Exception as error:
            self.note("the trace of torch.profiler could not be written: %s: %s" % (type(error).__name__, error))

    def give_way(self):
        """The program is about to use it itself."""
        if self.profile is not None and not self.starting and self.pid == os.getpid():
            self.note("torch.profiler was left to the program, which uses it itself")
            self.finish()


class Timer:
    """Asks for the next trace every so often. The main thread does it between two of its steps."""

    def __init__(self, seconds, call):
        from ctypes import CFUNCTYPE, c_int, c_void_p, pythonapi

        def pending(_):
            try:
                call()
            except Exception:
                pass
            return 0

        # It must live as long as it may be called.
        self.call = CFUNCTYPE(c_int, c_void_p)(pending)
        self.ask, self.seconds, self.wake = pythonapi.Py_AddPendingCall, seconds, None

    def go(self):
        thread = sys.modules["_thread"]
        self.wake = thread.allocate_lock()
        self.wake.acquire()
        thread.start_new_thread(self.run, (self.wake,))

    def run(self, wake):
        while not wake.acquire(True, self.seconds):
            self.ask(self.call, None)

    def stop(self):
        wake, self.wake = self.wake, None
        if wake is not None:
            wake.release()
        return wake is not None


def install(torch, folder):
    import _thread

    threading = sys.modules.get("threading")
    if threading is not None and _thread.get_ident() != threading.main_thread().ident:
        return
    with open(agent.here + "/torch") as file:
        seconds, _, options = file.read().strip().partition(" ")
    recorder = Recorder(torch, folder, float(seconds), options.split())
    if "KINETO_LOG_LEVEL" not in os.environ:
        # It would say on standard error what it does. The program does not see the variable.
        os.putenv("KINETO_LOG_LEVEL", "99")
    try:
        leave_to_the_program(torch, recorder)
        recorder.start()
    except Exception as error:
        recorder.note("torch.profiler did not start: %s: %s" % (type(error).__name__, error))
        return
    quiet = agent.load("_quiet")
    if recorder.seconds > 0:
        recorder.timer = Timer(recorder.seconds, recorder.roll)
        quiet.around_forks(recorder.timer.stop, recorder.timer.go)
        recorder.timer.go()
    import atexit
    import signal

    # After torch's own, so before them: CUDA is alive.
    atexit.register(recorder.finish)

    def die(number, _frame):
        recorder.finish()
        set_signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    ends = [n for n in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if n and signal.getsignal(n) == signal.SIG_DFL]
    set_signal = quiet.about_signals(ends, die)


def leave_to_the_program(torch, recorder):
    """There is one in a process: the program's own takes its place for good."""
    kind = torch.autograd.profiler.profile
    for name in ("_prepare_trace", "__enter__"):
        original = getattr(kind, name, None)
        if original is not None:
            setattr(kind, name, in_front(original, recorder))


def in_front(original, recorder):
    from functools import wraps

    @wraps(original)
    def call(*arguments, **named):
        recorder.give_way()
        return original(*arguments, **named)

    return call
