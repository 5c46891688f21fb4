"""``python -m inferscope_profiler``: the program that came with this package."""

import os
import sys
import sysconfig

NAME = "inferscope.exe" if os.name == "nt" else "inferscope"


def folders():
    """Where installers put programs, the nearest first."""
    here = os.path.dirname(os.path.abspath(__file__))
    programs = "Scripts" if os.name == "nt" else "bin"
    yield sysconfig.get_path("scripts")
    yield sysconfig.get_path("scripts", vars={"base": sys.base_prefix})
    if sys.version_info >= (3, 10):
        user = sysconfig.get_preferred_scheme("user")
    else:
        user = "nt_user" if os.name == "nt" else "posix_user"
    yield sysconfig.get_path("scripts", scheme=user)
    # pip install --target: beside the package.
    yield os.path.join(os.path.dirname(here), programs)
    # pip install --prefix, uv run --with: PREFIX/lib/pythonX.Y/site-packages/PACKAGE.
    prefix = here
    for _ in range(3 if os.name == "nt" else 4):
        prefix = os.path.dirname(prefix)
    yield os.path.join(prefix, programs)


def find():
    """The path of the program."""
    looked = list(folders())
    for folder in looked:
        path = os.path.join(folder, NAME)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("inferscope's program is not where installers put it: %s" % ", ".join(looked))


def main():
    program = find()
    words = [program] + sys.argv[1:]
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(program, words)
    # There execv returns to the shell at once.
    import subprocess

    try:
        sys.exit(subprocess.call(words))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(str(error))
