"""In front on the PYTHONPATH of a recorded command and all that it starts: arms what records a program from inside.

`inferscope record command` writes this folder and names in INFERSCOPE_TRACE where processes leave what they record. Nothing of
ours is loaded before the program imports a module of TABLE, so a process that imports none costs milliseconds and
leaves no file; but where stacks cannot be read from outside, a thread samples them here from the start. A file of ours that the recorder did not write here is switched off. Then the next sitecustomize on the path runs,
as if this one were not there. Any version of Python may read this file; from 3.8 on it does something. Where an interpreter was
told to read no environment, what runs a profiler around the program calls `begin` itself.

A module of ours defines `install(module, folder)`, called once that module of the program was executed, and finds in its
globals `agent`, the Agent below. Whatever it raises is one line on standard error.
"""
import sys


def nameless(code, name):
    """Code of ours has no file, as what is typed has none: tools that count a program's files, such as coverage, leave it out."""
    try:
        # What the import system does with code that it kept for another path.
        sys.modules["_imp"]._fix_co_filename(code, "<inferscope %s>" % name)
    except Exception:
        # Another interpreter, or too old a one.
        pass


nameless(sys._getframe().f_code, "sitecustomize")

# A module of the program: what is armed once it was executed.
TABLE = {
    "asyncio": "_tasks",
    "uvloop": "_tasks",
    "httpx": "_http",
    "httpx2": "_http",
    "aiohttp": "_http",
    "urllib3": "_http",
    "http.client": "_http",
    "torch": "_torch",
}
OLDEST = (3, 8)
# The newest Python whose stacks can be read from outside. Free-threaded ones cannot.
NEWEST_OUTSIDE = (3, 15)
# From here on the interpreter tells of calls itself.
MONITORED = (3, 12)
FOLDER = "INFERSCOPE_TRACE"
# What the next sitecustomize finds in its globals while it runs, so that there is one of us in a process.
TAKEN = "_inferscope_is_here"


def unseen(function):
    """A function of ours between the import system's own, which leaves it out of tracebacks as it does its own."""
    named = sys.modules["_frozen_importlib"]._call_with_frames_removed.__code__
    parts = ("co_filename", "co_name", "co_qualname", "co_firstlineno")
    known = {part: getattr(named, part) for part in parts if hasattr(named, part)}
    function.__code__ = function.__code__.replace(**known)
    return function


class Agent:
    """Finds the modules of TABLE as the finders behind it do, and arms what belongs to them."""

    unseen = staticmethod(unseen)

    def __init__(self, here, folder):
        self.here, self.folder = here, folder
        self.loaded = {}
        # What compiles the program's own files before Python 3.12.
        self.finder = None
        # What is looked for, and by which thread: a finder behind us may ask all finders, too.
        self.searched = set()

    def start(self):
        from os.path import exists

        self.table = {name: ours for name, ours in TABLE.items() if exists("%s/%s.py" % (self.here, ours))}
        for name in list(self.table):
            # A .pth file may have imported it before us.
            if name in sys.modules:
                self.arm(name, sys.modules[name])
        if exists(self.here + "/_stacks.py") and exists(self.here + "/stacks"):
            self.sample()
        if self.table or self.loaded:
            sys.meta_path.insert(0, self)
        if sys.version_info < MONITORED and "asyncio" in self.table:
            self.finder = self.load("_rewrite").Finder()
            self.finder.begin()

    def sample(self):
        """Samples stacks in this process where nobody does it from outside."""
        with open(self.here + "/stacks") as file:
            every, where = file.read().split()
        outside = sys.implementation.name == "cpython" and sys.version_info[:2] <= NEWEST_OUTSIDE
        if where == "inside" or not outside or "t" in getattr(sys, "abiflags", ""):
            try:
                self.load("_stacks").install(self.folder, int(every))
            except Exception as error:
                self.say("stacks are not sampled", error)

    def find_spec(self, name, path=None, target=None):
        search = name, sys.modules["_thread"].get_ident()
        if name not in self.table or search in self.searched:
            return None
        spec = None
        self.searched.add(search)
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                if finder is not self and find is not None:
                    spec = find(name, path, target)
                    if spec is not None:
                        break
        finally:
            self.searched.discard(search)
        try:
            self.wrap(name, spec)
        except Exception as error:
            self.say("%s is not recorded" % name, error)
        return spec

    def wrap(self, name, spec):
        """Arms when the loader has executed the module; the loader is as it was by then."""
        loader = getattr(spec, "loader", None)
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type):
            return

        def exec_module(module):
            loader.__dict__.pop("exec_module", None)
            execute(module)
            self.arm(name, module)

        loader.exec_module = unseen(exec_module)

    def arm(self, name, module):
        ours = self.table.pop(name, None)
        if ours is None:
            return
        try:
            self.load(ours).install(module, self.folder)
        except Exception as error:
            self.say("%s is not recorded" % name, error)

    def load(self, name):
        """A module of ours, of which the program's sys.modules and sys.path know nothing."""
        module = self.loaded.get(name)
        if module is None:
            from importlib.machinery import SourceFileLoader

            loader = SourceFileLoader("inferscope_inject." + name, "%s/%s.py" % (self.here, name))
            module = type(sys)(loader.name)
            # The folder is the recorder's own: compiled once for each version of Python.
            code = loader.get_code(loader.name)
            nameless(code, name)
            module.__file__, module.agent = code.co_filename, self
            getattr(sys.modules["builtins"], "exec")(code, module.__dict__)
            self.loaded[name] = module
        return module

    def say(self, what, error):
        try:
            import os

            try:
                os.stat(self.here)
            except OSError as gone:
                if gone.errno == 2:
                    # The recorder has ended and took its folder along: what outlives it is not recorded, as it should be.
                    return
            text = "inferscope: %s in process %d: %s: %s\n"
            sys.stderr.write(text % (what, os.getpid(), type(error).__name__, error))
        except Exception:
            # Nobody reads.
            pass


def begin(is_taken=False):
    """`is_taken`: another one of us is in this process, because a recorded program records it. The environment names the folder of that
    inner recording, which comes first on the path, and ours stays aside."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    # The environment keeps it, for children.
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    folder = os.environ.get(FOLDER)
    if folder and not is_taken:
        if sys.version_info >= OLDEST:
            return Agent(here, folder).start()
        with open(folder + "/too-old", "w") as file:
            file.write("%d.%d" % sys.version_info[:2])


def go_on():
    """The sitecustomize that runs when ours is not there. It replaces ours in sys.modules, too."""
    if sys.version_info[0] < 3:
        import imp

        try:
            found = imp.find_module("sitecustomize", sys.path)
        except ImportError:
            return
        imp.load_module("sitecustomize", *found)
        return
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        # It stays there: the import that runs us takes it out and puts it back.
        sys.modules["sitecustomize"] = module
        setattr(module, TAKEN, True)
        try:
            spec.loader.exec_module(module)
        finally:
            module.__dict__.pop(TAKEN, None)


if __name__ == "sitecustomize":
    try:
        begin(TAKEN in globals())
    except Exception:
        # Whatever it is, the program runs.
        pass
    go_on()
