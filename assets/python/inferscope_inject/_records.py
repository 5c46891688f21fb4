"""What is recorded, as 16-byte records in mapped files: a process that is killed loses nothing that it wrote.

A file holds segments. A segment is a header of 64 bytes and records of two little-endian words: time (`time.perf_counter_ns()`, 0
where nothing is yet) and kind | argument << 8. Texts follow their record in whole 16-byte slots, their length in the word. Segments of
one series follow each other; a series belongs to one thread at a time, THREAD says to which. The time is written last, so that a record
is there whole or not at all. The last word of the header of a process's first segment says when and why it stopped recording.
`src/import/tasks` reads them.
"""
import mmap
import os
import sys
import time

MAGIC = 0x0131454341525449
HEADER = 64
# Of the segments of a series, and of files: the first one is small, because many threads, and many processes, write little.
SIZES = (1 << 16, 1 << 20, 1 << 22)
# Of all files of a process. What comes later is not recorded.
MOST_BYTES = 1 << 28
LONGEST_TEXT = 4000

(START, RETURN, UNWIND, ON, OFF, NEW, END, READY, CHAIN, AGEN_OUT, AGEN_IN, THROW, SUBMIT, JOB, JOB_END, LINK, CODE, TEXT, THREAD,
 PROCESS, LATE) = range(1, 22)
# In the word of a START: a coroutine whose suspensions are a task's own.
ROOT = 1 << 62
# What a task waits for, in the word of an OFF.
NOTHING, FUTURE, TASK, MEMBERS, ENDED = range(5)
RETURNED, FAILED, CANCELLED = range(3)
# Why nothing is recorded any more, in the low bits of the time.
NO_ROOM, NO_DISK, NO_DESCRIPTOR, BROKEN, IS_TAKEN = range(1, 6)
# How code of ours is called.
OURS = "<inferscope "

now = time.perf_counter_ns
STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class Full(Exception):
    """There is no more room."""


class Taken(Exception):
    """The program needs what we would."""


class Books:
    """What all threads of a process share."""

    def __init__(self, folder):
        self.folder = folder
        self.local = sys.modules["threading"].local()
        # Called when there is no more room, or something is wrong.
        self.at_stop = []
        self.stopped = False
        # Code objects by id, for as long as they live, and what is known of them: equal ones share a number, because a function
        # that is defined anew in a loop is one function.
        self.codes, self.numbers, self.symbols = {}, {}, []
        # What somebody knows better of a code object: file, qualified name, line.
        self.known = lambda code: None
        self.begin()

    def begin(self):
        """A new process: it writes files of its own."""
        self.pid, self.stamp = os.getpid(), now()
        # Taken together: where both clocks stand.
        self.clocks = now(), time.time_ns()
        self.bytes, self.series, self.free, self.told = 0, 0, [], False
        # Files with room left, each as [map, first free byte, size]; how many there were; the first segment.
        self.files, self.made, self.first = [], 0, None
        self.local.__dict__.clear()
        self.lock = sys.modules["_thread"].RLock()

    def thread(self):
        """The calling thread's place to write to."""
        if self.stopped or os.getpid() != self.pid:
            raise Full
        try:
            return self.local.s
        except AttributeError:
            pass
        s = self.local.s = Series(self)
        if not self.told:
            self.told = True
            version = "%d.%d.%d" % sys.version_info[:3]
            argv = getattr(sys, "argv", None) or [""]
            s.text(PROCESS, 0, version, os.path.basename(argv[0]))
            for number, symbol in enumerate(self.symbols, 1):
                self.tell(s, number, symbol)
        return s

    def code(self, code):
        """The number of a code object."""
        number = self.codes.get(id(code))
        if number is None:
            symbol = self.known(code)
            if symbol is None:
                symbol = code.co_filename, getattr(code, "co_qualname", code.co_name), str(code.co_firstlineno)
            number = self.symbol(symbol)
            self.remember(code, self.codes, number)
        return number

    def symbol(self, symbol):
        number = self.numbers.get(symbol)
        if number is None:
            # First of all: whoever starts the process's first file writes all symbols there.
            s = self.thread()
            with self.lock:
                number = self.numbers.get(symbol)
                if number is None:
                    self.symbols.append(symbol)
                    number = self.numbers[symbol] = len(self.symbols)
                    self.tell(s, number, symbol)
        return number

    def tell(self, s, number, symbol):
        if len(symbol) == 1:
            return s.text(TEXT, number, *symbol)
        s.text(CODE, number, whole(symbol[0]), *symbol[1:])

    def remember(self, thing, table, value):
        """An entry under the identity of an object, for as long as that lives."""
        key = id(thing)
        where = key, id(table)

        def forget(reference):
            # What has taken its place has another reference.
            if references.get(where) is reference:
                del references[where]
                table.pop(key, None)

        table[key] = value
        references[where] = ref(thing, forget)

    def room(self, size):
        """A place for a segment. Threads share files: before Python 3.13 each map holds a file descriptor, and those are the program's."""
        with self.lock:
            file = next((file for file in self.files if file[1] + size <= file[2]), None)
            if file is None:
                file = self.grow(max(size, SIZES[min(self.made, len(SIZES) - 1)]))
            start = file[1]
            file[1] += size
            if file[1] == file[2]:
                self.files.remove(file)
            return file[0], start

    def grow(self, size):
        if self.bytes + size > MOST_BYTES:
            raise Full
        path = "%s/%d-%x-%d.seg" % (self.folder, self.pid, self.stamp, self.made)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        fd = os.open(path, flags, 0o600)
        try:
            allocate(fd, size)
            # The map would hold a number that the program may close and open anew.
            new = mmap.mmap(fd, size, **({"trackfd": False} if sys.version_info >= (3, 13) else {}))
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        if sys.version_info < (3, 13):
            kept.append(new)
        self.made += 1
        self.bytes += size
        file = [new, 0, size]
        self.files.append(file)
        return file

    def stop(self, why=None):
        """Records no more; the program goes on as if there had been nothing. The recording says so, or this where it cannot."""
        if self.stopped:
            return
        self.stopped = True
        for step in self.at_stop:
            try:
                step()
            except Exception:
                # The others are to be taken back, too.
                pass
        if os.getpid() != self.pid:
            # All of it is the parent's.
            return
        if self.first is not None:
            self.first[7] = now() & ~7 | reason(why)
        else:
            self.say("asyncio tasks are not recorded", why)

    def guard(self, error):
        """An exception in a callback of ours. What comes from code of the program (a signal's handler) is the program's."""
        trace = error.__traceback__
        while trace is not None:
            path = trace.tb_frame.f_code.co_filename
            if not path.startswith(OURS) and (not path.startswith(STANDARD) or "site-packages" in path):
                raise error
            trace = trace.tb_next
        self.stop(error)


ref = __import__("_weakref").ref
references = {}


class Series:
    """Where one thread writes."""

    __slots__ = ("i", "mv", "raw", "at", "cur", "outer", "books", "pid", "number", "seq", "__weakref__")

    def __init__(self, books):
        self.books, self.pid, self.cur, self.outer = books, books.pid, None, []
        threading = sys.modules["threading"]
        if books.free:
            # That of a thread which has ended.
            self.number, self.seq, self.raw, self.at, self.mv, self.i = books.free.pop()
        else:
            self.number, self.seq = books.series, 0
            books.series += 1
            self.roll()
        thread = threading._active.get(threading.get_ident())
        tid = threading.get_native_id() if hasattr(threading, "get_native_id") else threading.get_ident()
        self.text(THREAD, tid & 0xFFFFFFFF, getattr(thread, "name", ""), "%x" % threading.get_ident())

    def __del__(self):
        try:
            # A child that was forked has the maps of its parent, too, and leaves them alone.
            if self.pid == os.getpid():
                self.books.free.append((self.number, self.seq, self.raw, self.at, self.mv, self.i))
        except Exception:
            # The interpreter ends.
            pass

    def roll(self):
        """The next segment."""
        books = self.books
        size = SIZES[min(self.seq, len(SIZES) - 1)]
        new, start = books.room(size)
        if self.seq and hasattr(mmap, "MADV_DONTNEED"):
            # What is written there is not looked at any more.
            self.raw.obj.madvise(mmap.MADV_DONTNEED, self.at, len(self.raw))
        self.raw, self.at = memoryview(new)[start : start + size], start
        self.mv = self.raw.cast("Q")
        head = (books.pid, books.stamp, self.number, self.seq) + books.clocks
        for at, word in enumerate(head, 1):
            self.mv[at] = word
        self.mv[0] = MAGIC
        if books.first is None:
            books.first = self.mv[: HEADER // 8]
        self.seq += 1
        self.i = HEADER // 8

    def put(self, word):
        i = self.i
        if i + 2 > len(self.mv):
            self.roll()
            i = self.i
        self.mv[i + 1] = word
        self.mv[i] = now()
        self.i = i + 2

    def text(self, kind, number, *parts):
        raw = "\0".join(parts).encode("utf-8", "replace")[:LONGEST_TEXT]
        slots = (len(raw) + 15) // 16
        if self.i + 2 + 2 * slots > len(self.mv):
            self.roll()
        i = self.i
        self.raw[8 * i + 16 : 8 * i + 16 + len(raw)] = raw
        self.mv[i + 1] = kind | number << 8 | len(raw) << 40
        self.mv[i] = now()
        self.i = i + 2 + 2 * slots


# Maps are never closed before 3.13: each holds a file descriptor, whose number may be the program's by now.
kept = []


def reason(why):
    import errno

    known = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), NO_DISK)
    known.update(dict.fromkeys((errno.EMFILE, errno.ENFILE), NO_DESCRIPTOR))
    if isinstance(why, Taken):
        return IS_TAKEN
    return NO_ROOM if isinstance(why, Full) else known.get(getattr(why, "errno", None), BROKEN)


def whole(path):
    """A source file's path from the root; what is none stays as it is."""
    try:
        return path if path[:1] == "<" else os.path.abspath(path)
    except OSError:
        # The working directory is gone.
        return path


def allocate(fd, size):
    """Real blocks: a full disk is an error here and would be the program's death in a mapped page."""
    try:
        os.posix_fallocate(fd, 0, size)
    except (AttributeError, OSError) as error:
        import errno

        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
        left = size
        while left > 0:
            left -= os.write(fd, b"\0" * min(left, 1 << 16))
