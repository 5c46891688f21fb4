"""``%%inferscope``: a cell under cProfile, and inferscope's report of it below."""

import argparse
import cProfile
import os
import shlex
import subprocess
import tempfile

from .__main__ import find


def parser():
    options = argparse.ArgumentParser(
        prog="%%inferscope", description="Profiles a cell and prints inferscope's report of it.", add_help=False
    )
    options.add_argument("-o", metavar="FILE", help="keep the profile as this file (.prof)")
    options.add_argument("--top", metavar="N", type=int, default=15, help="so many functions [15]")
    options.add_argument("--open", action="store_true", help="open the profile in inferscope's window, too")
    return options


def kept(name):
    """Where the profile goes: a named file, or one in a folder for temporary files that outlives the cell."""
    if name:
        return os.path.abspath(os.path.expanduser(name))
    return os.path.join(tempfile.mkdtemp(prefix="inferscope-"), "cell.prof")


def register(ipython):
    """Adds the magic to a shell."""

    def inferscope(line, cell):
        """Profiles a cell: ``%%inferscope [-o FILE] [--top N] [--open]``."""
        try:
            options = parser().parse_args(shlex.split(line))
        except SystemExit:
            return
        program = find()
        source = ipython.transform_cell(cell)
        code = compile(source, ipython.compile.cache(source), "exec")
        profile = cProfile.Profile()
        try:
            profile.runctx(code, ipython.user_ns, ipython.user_ns)
        finally:
            path = kept(options.o)
            profile.dump_stats(path)
            report = [program, "report", path, "--top", str(options.top)]
            done = subprocess.run(report, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            print(done.stdout.decode("utf-8", "replace"), end="")
            if options.open:
                subprocess.Popen([program, path], stdin=subprocess.DEVNULL)
            print("Profile  %s" % path)

    ipython.register_magic_function(inferscope, magic_kind="cell", magic_name="inferscope")
