"""Samples the stacks of this process's threads from inside, where the recorder may not or cannot read them from outside.

A thread looks at all others every so often. It needs the interpreter's lock to look, so it does where the program lets go of
that: C code that holds the lock for long is seen when it ends, and what waits is seen as often as it does. What it finds goes to a
file of the process, a write for each look, so that a killed program has left all but the last; `src/import/stacks` reads it.
"""
import _thread
import os
import sys
import time

BEGIN = "inferscope-stacks\t1\t"
NAME = "sampler in the program"
# Of the file. What comes later is not sampled, and its last line says so.
MOST_BYTES = 1 << 26
# Frames of a stack, outermost ones first to be left out; code objects and stacks that are told apart.
DEEPEST = 1000
MOST_STACKS = 1 << 18
# Looks between two at whether there still is a recorder.
LOOK_AFTER = 50

now = time.perf_counter_ns


def field(text):
    """A text between tabs."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


class Sampler:
    """One process's."""

    def __init__(self, folder, every):
        self.folder, self.every = folder, every
        self.wake = self.fd = None

    def start(self):
        self.open()
        self.go()

    def open(self):
        """A file for this process, which tells everything anew."""
        path = "%s/%d-%x.stacks" % (self.folder, os.getpid(), now())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self.fd, self.bytes, self.pid = os.open(path, flags, 0o600), 0, os.getpid()
        self.codes, self.kept, self.stacks = {}, [], {}
        # What is known of each thread: its number, its name, where it was.
        self.threads, self.count, self.cpu, self.looks = {}, 0, {}, 0
        argv = getattr(sys, "argv", None) or [""]
        # What of ours runs around the program has three words.
        if argv[0].endswith("/profile_run.py"):
            argv = [word for word in argv[3:] if word != "-m"] or argv
        version = "%d.%d.%d" % sys.version_info[:3]
        self.last = now()
        head = self.pid, self.last, time.time_ns(), self.every, NAME, version, field(os.path.basename(argv[0] or "python"))
        self.lines = [BEGIN + "\t".join(map(str, head))]

    def go(self):
        self.wake, self.ended = _thread.allocate_lock(), _thread.allocate_lock()
        self.wake.acquire()
        self.ended.acquire()
        _thread.start_new_thread(self.run, (self.wake, self.ended, self.fd))

    def stop(self):
        """Ends the thread. True when it was there."""
        wake, self.wake = self.wake, None
        if wake is None or self.pid != os.getpid():
            return False
        wake.release()
        # It may be at its last look.
        self.ended.acquire(True, 1)
        return True

    def forget(self):
        """The child of a fork has no such thread, and the file is its parent's."""
        self.wake = None
        try:
            os.close(self.fd)
        except (OSError, TypeError):
            pass

    def run(self, wake, ended, fd):
        own, due = _thread.get_ident(), now()
        try:
            while True:
                due = max(due + self.every, now() + self.every // 2)
                if wake.acquire(True, max(due - now(), 0) / 1e9):
                    break
                if not self.look(own, fd):
                    break
        except Exception as error:
            agent.say("stacks are not sampled any more", error)
        finally:
            ended.release()

    def look(self, own, fd):
        frames = sys._current_frames()
        at = now()
        frames.pop(own, None)
        lines, changed = self.lines, []
        for ident, frame in frames.items():
            thread = self.threads.get(ident)
            if thread is None:
                thread = self.threads[ident] = [self.count, None, None]
                self.count += 1
            native = self.name(ident, thread)
            now_at = self.state(native), self.stack(frame)
            if thread[2] != now_at:
                thread[2] = now_at
                changed.append("%d:%s:%s" % ((thread[0],) + now_at))
        # A frame that is held keeps what is in it alive.
        frame = None
        for ident in [known for known in self.threads if known not in frames]:
            changed.append("%d:x" % self.threads.pop(ident)[0])
        frames.clear()
        passed = (at - self.last) // 1000
        self.last += passed * 1000
        lines.append("\t".join(["t", str(passed)] + changed))
        self.looks += 1
        if self.looks % LOOK_AFTER == 0 and os.fstat(fd).st_nlink == 0:
            # The recorder has ended, and nobody reads this.
            return False
        text = ("\n".join(lines) + "\n").encode("utf-8", "replace")
        del lines[:]
        self.bytes += len(text)
        full = self.bytes > MOST_BYTES or len(self.stacks) > MOST_STACKS
        os.write(fd, b"full\n" if full else text)
        return not full

    def name(self, ident, thread):
        """Tells the name of a thread when it has another one. Gives the system's number of it."""
        threading = sys.modules.get("threading")
        known = getattr(threading, "_active", {}).get(ident)
        name, native = getattr(known, "_name", ""), getattr(known, "_native_id", 0) or 0
        if known is None and self.is_main(ident):
            name, native = "MainThread", self.pid
        if thread[1] != (name, native):
            thread[1] = name, native
            self.lines.append("n\t%d\t%d\t%d\t%s" % (thread[0], native, ident, field(str(name))))
        return native

    def is_main(self, ident):
        return ident == MAIN

    def state(self, native):
        """By the CPU time that it has used since the last look: at least a third of what passed."""
        if not native:
            return "u"
        try:
            fd = os.open("/proc/self/task/%d/schedstat" % native, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, AttributeError):
            return "u"
        try:
            used = int(os.read(fd, 64).split()[0])
        except (OSError, ValueError, IndexError):
            return "u"
        finally:
            os.close(fd)
        before, then = self.cpu.get(native, (None, 0))
        at = self.cpu[native] = used, now()
        if before is None:
            return "u"
        return "r" if 3 * (used - before) >= at[1] - then else "i"

    def stack(self, frame):
        """The number of a stack, told when it is new."""
        path = []
        while frame is not None and len(path) < DEEPEST:
            path.append((frame.f_code, frame.f_lineno or 0))
            frame = frame.f_back
        below = "-"
        for code, line in reversed(path):
            number = self.codes.get(id(code))
            if number is None:
                number = self.codes[id(code)] = len(self.kept)
                # Its identity is its own only as long as it lives.
                self.kept.append(code)
                name = getattr(code, "co_qualname", code.co_name)
                words = field(name), field(whole(code.co_filename)), str(code.co_firstlineno)
                self.lines.append("f\t" + "\t".join(words))
            key = below, number, line
            known = self.stacks.get(key)
            if known is None:
                known = self.stacks[key] = len(self.stacks)
                self.lines.append("s\t%s\t%d\t%d" % key)
            below = known
        return below


def whole(path):
    try:
        return path if path[:1] == "<" else os.path.abspath(path)
    except OSError:
        # The working directory is gone.
        return path


MAIN = _thread.get_ident()


def install(folder, every):
    """Called at the start of the interpreter."""
    sampler = Sampler(folder, every)

    def again():
        sampler.forget()
        sampler.start()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=again)
    agent.load("_quiet").around_forks(sampler.stop, sampler.go)
    sampler.start()
    import atexit

    atexit.register(sampler.stop)
