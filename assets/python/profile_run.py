"""Runs a Python program under profilers: inferscope's `record command` starts it so.

python [options] profile_run.py FOLDER PROFILER[,PROFILER] (FILE | -m MODULE | -c CODE) [arguments]

PROFILER none is for what needs no profiler and yet something around it: an interpreter that was told to read no environment, so that
our recorder would not be in it, and a main file with coroutines before Python 3.12, which the recorder compiles.

Leaves in FOLDER what each profiler wrote (NAME.prof or NAME.pyisession) and about.json, which is locked as
long as the program lives. The profile is written however the program ends, save by SIGKILL or a crash of the
interpreter, and whether or not somebody still waits for it. Of processes that the program forks only the first
is profiled; cProfile sees the main thread before Python 3.12, yappi all threads, until the last one has ended.

The program must not notice: it gets the __main__ module that the interpreter made, its own arguments and paths, and
whenever it wants a profiler of its own, ours gives way and says for how long. FOLDER/command.json holds the command
line as it was; an interpreter that is too old for this file runs that, without a profile.
"""

# First of all: what the interpreter has put into __main__.
MAIN = dict(globals())

import sys

OLDEST = (3, 6)


def interpreter():
    """The word that the interpreter was started by, as it names itself in messages."""
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv[0]
    try:
        with open("/proc/self/cmdline", "rb") as words:
            return words.read().split(b"\0")[0].decode(errors="surrogateescape")
    except OSError:
        return sys.executable


def own_module(name, folder=""):
    """Another file of ours, of which the program's sys.modules and sys.path know nothing."""
    import os
    import types

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), folder, name + ".py")
    module = types.ModuleType("inferscope_" + name)
    module.__file__ = path
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    getattr(sys.modules["builtins"], "exec")(code, module.__dict__)
    module.OUR_FILES = (__file__, path)
    return module


def importer_of(path):
    """What the interpreter imports from, when the program is a folder or an archive."""
    for hook in sys.path_hooks:
        try:
            return hook(path)
        except ImportError:
            pass


class Program:
    """What to run, as the interpreter itself would."""

    def __init__(self, arguments, safe, standard_library):
        import os

        self.standard_library = standard_library
        self.kind, self.arguments = "file", arguments
        if arguments[0] in ("-m", "-c"):
            self.kind, self.arguments = arguments[0], arguments[1:]
        target = self.arguments[0]
        self.file = target
        if sys.version_info >= (3, 9) and not os.path.isabs(target):
            # As the interpreter does it, which takes nothing out of the path.
            self.file = os.path.join(os.getcwd(), target)
        if self.kind == "file" and importer_of(target) is not None:
            self.kind = "folder"
        here = os.getcwd() if sys.version_info >= (3, 7) else ""
        first = {"file": os.path.dirname(os.path.realpath(target)), "folder": self.file, "-m": here, "-c": ""}
        self.path = None if safe and self.kind != "folder" else first[self.kind]

    def ready(self):
        """The call that runs it: a function and its arguments."""
        import types

        module = types.ModuleType("__main__")
        module.__dict__.clear()
        module.__dict__.update(MAIN, __doc__=None)
        if "__annotations__" in MAIN:
            module.__annotations__ = {}
        # Kept alive to the end, as the interpreter keeps it.
        sys.modules["__main__"] = module
        sys.argv[:] = self.arguments
        if self.path is not None:
            sys.path.insert(0, self.path)
        if self.kind == "file":
            module.__file__ = self.file
            code = self.code(module)
        else:
            for name in ("__file__", "__cached__"):
                module.__dict__.pop(name, None)
            module.__loader__ = sys.modules["builtins"].__spec__.loader
            if self.kind == "-c":
                sys.argv[0] = "-c"
                code = compile(self.text(), "<string>", "exec", dont_inherit=True)
            else:
                if self.kind == "-m":
                    sys.argv[0] = "-m"
                with self.standard_library:
                    import runpy
                named = (self.arguments[0], True) if self.kind == "-m" else ("__main__", False)
                return runpy._run_module_as_main, named
        return getattr(sys.modules["builtins"], "exec"), (code, module.__dict__)

    def code(self, module):
        from importlib.machinery import SourceFileLoader, SourcelessFileLoader

        try:
            with open(self.file, "rb") as file:
                source = file.read()
        except OSError as error:
            text = "%s: can't open file %r: [Errno %d] %s\n"
            say(text % (interpreter(), self.file, error.errno, error.strerror))
            raise SystemExit(2)
        if self.file.endswith(".pyc"):
            module.__loader__ = SourcelessFileLoader("__main__", self.file)
            return module.__loader__.get_code("__main__")
        module.__loader__ = SourceFileLoader("__main__", self.file)
        for finder in sys.meta_path:
            # Our recorder of tasks in this process compiles the program's own files.
            compiler = getattr(getattr(finder, "finder", None), "compile", None)
            try:
                code = compiler(source, self.file) if compiler else None
            except Exception:
                code = None
            if code is not None:
                return code
        return compile(source, self.file, "exec", dont_inherit=True)

    def text(self):
        if sys.version_info < (3, 14):
            return self.arguments[0]
        import textwrap

        return textwrap.dedent(self.arguments[0])


def unhide(known):
    """Takes out of sys.modules what only we have imported where the program means another file by that name."""
    from importlib.machinery import PathFinder

    mine = {name.partition(".")[0] for name in set(sys.modules) - known}
    for name in mine:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if spec is None or not spec.has_location:
            continue
        try:
            found = PathFinder.find_spec(name)
        except Exception:
            continue
        if found is not None and found.origin != spec.origin:
            for part in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
                del sys.modules[part]


def say(text):
    try:
        sys.stderr.write(text)
    except OSError:
        # Nobody reads any more.
        pass


def describe(folder, about, stays=False):
    """Makes about.json. It stays open, and so locked, to the end: as a number, of which no interpreter complains."""
    import json
    import os

    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    file = os.open(folder + "/about.json", flags, 0o600)
    if hasattr(os, "set_inheritable") and stays:
        # Another program takes our place.
        os.set_inheritable(file, True)

    def write():
        os.lseek(file, 0, 0)
        os.ftruncate(file, 0)
        os.write(file, json.dumps(about).encode("utf-8"))

    write()
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, IOError, OSError):
        pass
    return file, write


def run_plainly(folder, missing):
    """Becomes the command as it was."""
    import json
    import os

    version = sys.version.split()[0]
    kept = describe(folder, {"python": version, "profilers": [], "missing": missing}, True)
    with open(folder + "/command.json", "rb") as file:
        words = json.loads(file.read().decode("utf-8"))
    if sys.version_info < (3,):
        words = [word.encode("utf-8") for word in words]
    if os.name == "posix":
        os.execvp(words[0], words)
    import subprocess

    status = subprocess.call(words)
    del kept
    sys.exit(status)


def main():
    folder, wanted = sys.argv[1:3]
    if sys.version_info < OLDEST:
        why = "Python %d.%d is older than %d.%d: the program runs without a profile" % (sys.version_info[:2] + OLDEST)
        run_plainly(folder, [(name, why) for name in wanted.split(",") if name != "none"])
    known = set(sys.modules)
    import _thread
    import os

    ours = own_module("profilers")
    ours.OUR_THREAD = _thread.get_ident()
    here = os.path.dirname(os.path.abspath(__file__))
    # With -I or -P the interpreter adds no folder of the program.
    safe = not (sys.path and sys.path[0] in (here, os.path.realpath(here)))
    if not safe:
        del sys.path[0]
    standard_library = ours.OnlyStandardLibrary()
    with standard_library:
        import json
        import signal
    if hasattr(sys, "orig_argv"):
        with open(folder + "/command.json", "rb") as file:
            sys.orig_argv[:] = sys.orig_argv[:1] + json.loads(file.read().decode("utf-8"))[1:]
    program = Program(sys.argv[3:], safe, standard_library)
    profilers, missing = ({}, []) if wanted == "none" else ours.choose(wanted)
    ours.watch(profilers.values())
    me, written = os.getpid(), []
    about = {"python": sys.version.split()[0], "profilers": list(profilers), "missing": missing}
    with standard_library:
        kept, update = describe(folder, about)
    inject = os.path.join(here, "inject")
    if os.path.exists(inject) and not any(hasattr(finder, "arm") for finder in sys.meta_path):
        # The interpreter was told to read no environment (-I, -E, -S).
        with standard_library:
            own_module("sitecustomize", "inject").begin()
        sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != inject]

    def main_has_run():
        """Threads may go on, and whoever measures all of them does so, too."""
        if os.getpid() == me:
            for profiler in reversed(list(profilers.values())):
                profiler.leave_thread() if profiler.all_threads else profiler.stop()

    def write():
        if written or os.getpid() != me or not profilers:
            return
        written.append(True)
        # First all stop, so that none measures how another writes.
        for profiler in reversed(list(profilers.values())):
            profiler.stop()
        for name, profiler in profilers.items():
            try:
                profiler.write(folder)
            except Exception as error:
                say("inferscope: the profile of %s could not be written: %s\n" % (name, error))
        # The first one is shown.
        for profiler in list(profilers.values())[:1]:
            about.update(profiler.about())
        update()

    leave = os._exit

    def leave_with_profile(status):
        write()
        leave(status)

    if profilers:
        os._exit = leave_with_profile
    killed = []

    def conclude(kept):
        write()
        if killed and os.name == "posix":
            # The parent shall see what ended it.
            sys.stdout.flush()
            set_signal(killed[0], signal.SIG_DFL)
            os.kill(os.getpid(), killed[0])

    def die(number, _frame):
        if os.getpid() != me:
            set_signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        killed.append(number)
        sys.exit(128 + number)

    ends = [n for n in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if n and signal.getsignal(n) == signal.SIG_DFL]
    set_signal = signal.signal
    if profilers:
        with standard_library:
            set_signal = own_module("_quiet").about_signals(ends, die)
    end = None
    try:
        run, arguments = program.ready()
        unhide(known)
        for profiler in profilers.values():
            profiler.start()
        run(*arguments)
    except SystemExit as leaving:
        end = leaving
    except BaseException as error:
        main_has_run()
        trace = error.__traceback__
        # Without our frames.
        while trace and trace.tb_frame.f_code.co_filename in ours.OUR_FILES:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        if isinstance(error, KeyboardInterrupt):
            killed.append(signal.SIGINT)
        end = SystemExit(1)
    finally:
        main_has_run()
        if os.getpid() == me and not killed and any(profiler.all_threads for profiler in profilers.values()):
            import atexit

            # The interpreter waits for threads before that.
            atexit.register(conclude, kept)
        else:
            conclude(kept)
    if end is not None:
        raise end


if __name__ == "__main__":
    main()
