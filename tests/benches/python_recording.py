"""What recording costs a Python program, CPU time of its process: a span of `inferscope_profiler`, and a wait of an asyncio task.

    python3 tests/benches/python_recording.py target/release/inferscope [PYTHON…]

A wait is `await asyncio.sleep(0)` below four coroutines of the program. The least of five runs counts, because a busy machine only
ever adds.
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPANS = """
import time
from inferscope_profiler import span
begin = time.process_time()
for _ in range(20000):
    with span("work"):
        pass
print("took", (time.process_time() - begin) / 20000 * 1e6)
"""
WAITS = """
import asyncio, time
async def a(): await b()
async def b(): await c()
async def c(): await d()
async def d(): await asyncio.sleep(0)
async def main():
    begin = time.process_time()
    for _ in range(20000):
        await a()
    print("took", (time.process_time() - begin) / 20000 * 1e6)
asyncio.run(main())
"""


def took(command, **variables):
    """µs that the program says of itself."""
    environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "assets", "python"), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return min(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("took"))


def main():
    program, pythons = os.path.abspath(sys.argv[1]), sys.argv[2:] or [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("spans.py", SPANS), ("waits.py", WAITS)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        spans, waits = (os.path.join(folder, name) for name in ("spans.py", "waits.py"))
        session = os.path.join(folder, "run.inferscope")
        record = [program, "record", "command", "-o", session, "--"]
        for python in pythons:
            version = subprocess.run([python, "--version"], capture_output=True, text=True).stdout.strip()
            least = lambda command, **variables: min(took(command, **variables) for _ in range(5))
            idle, recorded = least([python, spans]), least([python, spans], INFERSCOPE_SPANS=folder)
            print(f"{version}: a span {recorded:.1f} µs while something records, {idle:.2f} µs while nothing does")
            plain, recorded = least([python, waits]), least(record + [python, waits])
            print(f"{version}: a wait below four coroutines {recorded - plain:.1f} µs more while it is recorded")


main()
