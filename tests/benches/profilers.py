"""What each way to profile costs a Python program, and the recorder: CPU time, beside the program alone.

    python3 tests/benches/profilers.py target/release/inferscope [PYTHON…]

Two programs: `calls` does plain calls (recursion, JSON, sorting), `tasks` runs asyncio with four coroutines below each wait. Of each
the least of five runs counts, because a busy machine only ever adds. Printed are the program's own CPU time as a multiple of what it
takes alone, and what the recorder took meanwhile, in per cent of the program's time. pyinstrument and yappi run where the interpreter has
them (`pip install pyinstrument yappi`). What `stacks` and `tasks` cost is what `record command` does unasked.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile

CALLS = """
import json, time
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def step(n): return sorted(json.loads(json.dumps([fib(k) for k in range(n)])), reverse=True)
begin, cpu = time.perf_counter(), time.process_time()
for _ in range(100): step(24)
print("TOOK", time.process_time() - cpu, time.perf_counter() - begin, flush=True)
"""
TASKS = """
import asyncio, time
async def a(): await b()
async def b(): await c()
async def c(): await d()
async def d(): await asyncio.sleep(0)
async def one():
    for _ in range(15000): await a()
async def main(): await asyncio.gather(*(one() for _ in range(10)))
begin, cpu = time.perf_counter(), time.process_time()
asyncio.run(main())
print("TOOK", time.process_time() - cpu, time.perf_counter() - begin, flush=True)
"""
NOTHING = ["requests=false", "tasks=false"]
WAYS = {
    "stacks from outside": ["profilers=stacks", *NOTHING],
    "stacks from inside": ["profilers=stacks", "reader=inside", *NOTHING],
    "tasks": ["profilers=none", "requests=false"],
    "stacks and tasks": ["profilers=auto", "requests=false"],
    "cProfile": ["profilers=cprofile", *NOTHING],
    "pyinstrument": ["profilers=pyinstrument", *NOTHING],
    "yappi (wall)": ["profilers=yappi-wall", *NOTHING],
}


def run(command):
    """CPU and wall time that the program says of itself, and CPU time of all that ran, s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("TOOK")]
    if not said:
        raise SystemExit("%s\n%s" % (command, done.stderr[-2000:]))
    cpu, wall = map(float, said[0])
    return cpu, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def has(python, module):
    return subprocess.run([python, "-c", "import " + module], capture_output=True).returncode == 0


def main():
    program, pythons = os.path.abspath(sys.argv[1]), sys.argv[2:] or [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, text in (("calls", CALLS), ("tasks", TASKS)):
            files[name] = os.path.join(folder, name + ".py")
            with open(files[name], "w") as file:
                file.write(text)
        session = os.path.join(folder, "run.inferscope")
        for python in pythons:
            version = subprocess.run([python, "--version"], capture_output=True, text=True).stdout.strip()
            print("| %s | calls | tasks | recorder |\n|---|---|---|---|" % version)
            alone = {name: min(run([python, file])[:2] for _ in range(5)) for name, file in files.items()}
            print("| alone, s of CPU | %.2f | %.2f | |" % tuple(alone[name][0] for name in files))
            for way, settings in WAYS.items():
                module = way.split(" ")[0]
                if module in ("pyinstrument", "yappi") and not has(python, module):
                    continue
                set_ = [word for setting in settings for word in ("--set", setting)]
                record = [program, "record", "command", "--quiet", "--no-allocations", "-o", session, *set_, "--"]
                took = {name: [run(record + [python, file]) for _ in range(5)] for name, file in files.items()}
                times = tuple(min(took[name])[0] / alone[name][0] for name in files)
                # Of the recorder, what the run says that its threads used while the program ran.
                print("| %s | %.2f × | %.2f × | %s |" % ((way,) + times + (recorder(program, session),)), flush=True)


def recorder(program, session):
    """What the last recording says of its own threads."""
    report = subprocess.run([program, "report", "--json", session], capture_output=True, text=True).stdout
    return json.loads(report)["facts"].get("Recorder threads", "–")


main()
