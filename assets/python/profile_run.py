"""Runs a Python program under profilers: inferscope's `record command` starts it so.

python [options] profile_run.py FOLDER PROFILER[,PROFILER] (FILE | -m MODULE | -c CODE) [arguments]

Leaves in FOLDER what each profiler wrote (NAME.prof or NAME.pyisession) and about.json, which is locked as
long as the program lives. The profile is written however the program ends, save by SIGKILL or a crash of the
interpreter, and whether or not somebody still waits for it. Of processes that the program forks only the first
is profiled; cProfile sees the main thread, yappi all threads.
"""

import sys


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


class CProfile:
    def __init__(self):
        import cProfile

        self.profile = cProfile.Profile()

    def start(self):
        self.profile.enable()

    def write(self, folder):
        self.profile.disable()
        with Whole(folder + "/cprofile.prof") as path:
            self.profile.dump_stats(path)


class Pyinstrument:
    def __init__(self):
        import pyinstrument

        self.profiler = pyinstrument.Profiler(interval=0.001)
        self.version = pyinstrument.__version__

    def start(self):
        self.profiler.start()

    def write(self, folder):
        session = self.profiler.stop()
        with Whole(folder + "/pyinstrument.pyisession") as path:
            session.save(path)


class Yappi:
    def __init__(self, clock):
        import yappi

        self.yappi, self.name = yappi, "yappi-" + clock
        yappi.set_clock_type(clock)

    def start(self):
        self.yappi.start(builtins=True)

    def write(self, folder):
        self.yappi.stop()
        with Whole(folder + "/" + self.name + ".prof") as path:
            self.yappi.get_func_stats().save(path, type="pstat")


PROFILERS = {
    "cprofile": CProfile,
    "pyinstrument": Pyinstrument,
    "yappi-wall": lambda: Yappi("wall"),
    "yappi-cpu": lambda: Yappi("cpu"),
}


# What a profiler needs that only one can have: the interpreter's profile function. From Python 3.12 on cProfile
# listens through sys.monitoring instead.
NEEDS_HOOK = {"pyinstrument", "yappi-wall", "yappi-cpu"}
if sys.version_info < (3, 12):
    NEEDS_HOOK.add("cprofile")


def choose(wanted):
    """The profilers by name, in the order in which they were wanted, and why others are left out."""
    chosen, missing, hook = {}, [], ""
    for name in wanted.split(","):
        if name in chosen:
            continue
        if hook and name in NEEDS_HOOK:
            missing.append((name, "%s has the interpreter's one profile function" % hook))
            continue
        try:
            chosen[name] = PROFILERS[name]()
        except ImportError as error:
            missing.append((name, str(error)))
            continue
        if name in NEEDS_HOOK:
            hook = name
    if not chosen:
        chosen["cprofile"] = CProfile()
    return chosen, missing


class Program:
    """What to run, as the interpreter itself would."""

    def __init__(self, arguments, safe):
        import os

        self.kind, self.arguments = "file", arguments
        if arguments[0] in ("-m", "-c"):
            self.kind, self.arguments = arguments[0], arguments[1:]
        target = self.arguments[0]
        first = {"file": os.path.dirname(os.path.realpath(target)), "-m": os.getcwd(), "-c": ""}
        self.path = None if safe else first[self.kind]

    def ready(self):
        """The call that runs it: a function, its arguments, its keyword arguments."""
        import types

        target = self.arguments[0]
        sys.argv[:] = self.arguments
        if self.path is not None:
            sys.path.insert(0, self.path)
        if self.kind == "-m":
            import runpy

            return runpy.run_module, (target,), {"run_name": "__main__", "alter_sys": True}
        module = types.ModuleType("__main__")
        module.__builtins__ = __builtins__
        if self.kind == "-c":
            sys.argv[0] = "-c"
            code = compile(target, "<string>", "exec")
        else:
            import os

            if os.path.isdir(target) or target.endswith((".zip", ".pyz")):
                import runpy

                if self.path is not None:
                    del sys.path[0]
                return runpy.run_path, (target,), {"run_name": "__main__"}
            with open(target, "rb") as source:
                code = compile(source.read(), target, "exec")
            module.__file__ = target
            module.__cached__ = None
        # Kept alive to the end, as the interpreter keeps it.
        sys.modules["__main__"] = module
        return exec, (code, module.__dict__), {}


def say(text):
    try:
        sys.stderr.write(text)
    except OSError:
        # Nobody reads any more.
        pass


def main():
    import json
    import os
    import signal

    here = os.path.dirname(os.path.abspath(__file__))
    # With -I or -P the interpreter adds no folder of the program.
    safe = not (sys.path and sys.path[0] == here)
    if not safe:
        del sys.path[0]
    folder, wanted = sys.argv[1:3]
    program = Program(sys.argv[3:], safe)
    profilers, missing = choose(wanted)
    me, written = os.getpid(), []
    # Stays open, and so locked, to the end.
    about = open(folder + "/about.json", "w")
    version = sys.version.split()[0]
    json.dump({"python": version, "profilers": list(profilers), "missing": missing}, about)
    about.flush()
    try:
        import fcntl

        fcntl.flock(about, fcntl.LOCK_EX)
    except (ImportError, OSError):
        pass

    def write():
        if written or os.getpid() != me:
            return
        written.append(True)
        for name in reversed(list(profilers)):
            try:
                profilers[name].write(folder)
            except Exception as error:
                say("inferscope: the profile of %s could not be written: %s\n" % (name, error))

    leave = os._exit

    def leave_with_profile(status):
        write()
        leave(status)

    os._exit = leave_with_profile
    killed = []

    def die(number, _frame):
        if os.getpid() != me:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        killed.append(number)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if number and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, die)
    end = None
    try:
        run, arguments, named = program.ready()
        for profiler in profilers.values():
            profiler.start()
        run(*arguments, **named)
    except SystemExit as leaving:
        end = leaving
    except BaseException as error:
        write()
        trace = error.__traceback__
        # Without the frames of this file.
        while trace and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        if isinstance(error, KeyboardInterrupt):
            killed.append(signal.SIGINT)
        end = SystemExit(1)
    finally:
        write()
    if killed and os.name == "posix":
        # The parent shall see what ended it.
        sys.stdout.flush()
        signal.signal(killed[0], signal.SIG_DFL)
        os.kill(me, killed[0])
    if end is not None:
        raise end


if __name__ == "__main__":
    main()
