"""How a thread and a signal handler of ours are kept from the program's eyes."""
import os
import sys


def about_signals(signals, ours):
    """Our handler of these signals, which the program leaves alone, looks as if nobody had set one. Gives the function that sets."""
    import signal

    set_signal, get_signal = signal.signal, signal.getsignal

    def seen(action):
        return signal.SIG_DFL if action is ours else action

    def new_signal(signalnum, handler):
        mine = signalnum in signals and handler == signal.SIG_DFL
        return seen(set_signal(signalnum, ours if mine else handler))

    def new_getsignal(signalnum):
        return seen(get_signal(signalnum))

    for number in signals:
        set_signal(number, ours)
    signal.signal, signal.getsignal = new_signal, new_getsignal
    return set_signal


def around_forks(stop, go):
    """A fork beside other threads is a warning from Python 3.12 on. The program has not made ours, so there is none meanwhile.

    `stop` ends it and says whether it was there; `go` begins it anew.
    """
    if sys.version_info < (3, 12):
        return
    from functools import wraps

    def around(fork):
        @wraps(fork)
        def forks():
            was_there = stop()
            if was_there:
                wait_for_end()
            pid = None
            try:
                pid = fork()
            finally:
                # The child has no such thread.
                if was_there and (pid is None or (pid[0] if isinstance(pid, tuple) else pid)):
                    go()
            return pid

        return forks

    for name in ("fork", "forkpty"):
        if hasattr(os, name):
            setattr(os, name, around(getattr(os, name)))


def wait_for_end():
    """The system ends a thread a moment after it has run."""
    import time

    until = time.monotonic() + 0.05
    try:
        while len(sys._current_frames()) < len(os.listdir("/proc/self/task")) and time.monotonic() < until:
            time.sleep(0.0002)
    except OSError:
        # No Linux.
        pass
