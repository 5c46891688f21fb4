"""How long answers take: the first question about a file, later ones, and until a cancelled one stops.

    python3 tests/agents/times.py PROGRAM FOLDER LARGE SMALL        # files below FOLDER; no package is needed
"""
import json, pathlib, subprocess, sys, time

program, folder, large, small = sys.argv[1:]
server = subprocess.Popen([program, "mcp", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
number = 0


def send(message):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    server.stdin.flush()


def call(name, **arguments):
    global number
    number += 1
    params = {"name": name, "arguments": arguments}
    send({"id": number, "method": "tools/call", "params": params})
    return number


def answer(wanted):
    while True:
        said = json.loads(server.stdout.readline())
        if said.get("id") == wanted:
            return said


def timed(name, **arguments):
    begun = time.perf_counter()
    said = answer(call(name, **arguments))
    took = 1000 * (time.perf_counter() - begun)
    assert not said.get("result", {}).get("isError", True), said
    return took


def shown(what, times):
    times = sorted(times)
    print(f"{what:<46} {times[len(times) // 2]:8.1f} ms median, {times[-1]:8.1f} ms at most")


hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "times", "version": "1"}}
send({"id": 0, "method": "initialize", "params": hello})
answer(0)
send({"method": "notifications/initialized"})
for path in (large, small):
    size = (pathlib.Path(folder) / path).stat().st_size / 1e6
    shown(f"{path} ({size:.1f} MB), first question", [timed("summary", file=path)])
    for question, more in [("summary", {}), ("hot", {"sort": "total"}), ("tree", {}), ("callers", {"function": "f5"}),
                           ("findings", {}), ("lines", {"function": "f5"})]:
        first = timed(question, file=path, **more)
        later = [timed(question, file=path, **more) for _ in range(9)]
        shown(f"  {question}, again ({first:.0f} ms when new)", later)

# A cancelled call has no answer; the next one waits until the work has stopped, because one file is read at a time.
stopped = []
for copy in range(3):
    other = pathlib.Path(folder) / f"copy{copy}-{pathlib.Path(large).name}"
    other.write_bytes((pathlib.Path(folder) / large).read_bytes())
    running = call("summary", file=other.name)
    time.sleep(0.5)
    begun = time.perf_counter()
    send({"method": "notifications/cancelled", "params": {"requestId": running}})
    third = pathlib.Path(folder) / f"third{copy}-{pathlib.Path(small).name}"
    third.write_bytes((pathlib.Path(folder) / small).read_bytes())
    said = answer(call("summary", file=third.name))
    assert "result" in said, said
    stopped.append(1000 * (time.perf_counter() - begun))
    other.unlink()
    third.unlink()
shown("cancelled while it reads, until another file is", stopped)
server.stdin.close()
sys.exit(server.wait())
