"""Compares `inferscope callers` with Python's pstats and with callgrind_annotate, edge by edge.

    python3 tests/agents/callers.py PROGRAM FILE...        # .prof files, and files of callgrind
"""
import json, pathlib, pstats, re, subprocess, sys

MOST = 40  # functions of a file


def asked(path, function):
    call = [program, "callers", str(path), "--function", function, "--json"]
    done = subprocess.run(call, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def handles(path):
    call = [program, "hot", str(path), "--sort", "total", "--json"]
    rows = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)["functions"]
    return [r for r in rows if r["calls"]][:MOST]


def of_pstats(path):
    """For each function its callers: calls, primitive calls, own and total seconds."""
    stats = pstats.Stats(str(path)).stats
    names = {}
    for (file, line, name), (_, _, _, _, callers) in stats.items():
        shown = f"{{{name[1:-1]}}}" if file == "~" and name.startswith("<") else name
        key = (shown, line if file != "~" else None, file.rsplit("/", 1)[-1] if file != "~" else None)
        names.setdefault(key, []).append(callers)
    return names


def key_of(row):
    place = row["place"] or ""
    file, _, line = place.rpartition(":")
    if not line.isdigit():
        return (row["name"], None, None)
    return (row["name"], int(line), file.rsplit("/", 1)[-1])


def compare_pstats(path):
    known, edges, wrong = of_pstats(path), 0, 0
    for row in handles(path):
        callers = known.get(key_of(row))
        if callers is None or len(callers) > 1:
            continue
        said = asked(path, row["function"])
        want = sorted((c[0], c[1], round(c[2] * 1e9), round(c[3] * 1e9)) for c in callers[0].values())
        have = sorted((c["calls"], c["primitive_calls"], c["own"], c["total"]) for c in said.get("callers", []) if c["name"])
        edges += len(want)
        # pstats names an edge (all, primitive); rounding of seconds to ns is off by one at most.
        off = len(want) != len(have) or any(
            {a[0], a[1]} != {b[0], b[1]} or abs(a[2] - b[2]) > 1 or abs(a[3] - b[3]) > 1 for a, b in zip(want, have))
        if off:
            wrong += 1
            print("differs", row["name"], want[:3], have[:3])
    return edges, wrong


LINE = re.compile(r"^\s*([\d,]+|\.)\s*(?:\([^)]*\))?\s+([*<>])\s+(.*?)(?: \(([\d,]+)x\))?(?: \[.*\])?$")


def of_callgrind(path):
    """For each function its callers and callees, as sorted (calls, cost)."""
    call = ["callgrind_annotate", "--threshold=100", "--tree=both", "--show=Ir", "--auto=no", str(path)]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    blocks, callers, here = {}, [], None
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            callers, here = [], None
            continue
        cost, kind, name, calls = found.groups()
        number = lambda n: int(n.replace(",", "")) if n and n != "." else 0
        edge = (number(calls), number(cost))
        if kind == "<":
            if here:
                callers, here = [], None
            callers.append(edge)
        elif kind == "*":
            here = blocks.setdefault(name.split(":", 1)[-1], [])
            here.append((sorted(callers), []))
            callers = []
        elif here:
            here[-1][1].append(edge)
    return blocks


def compare_callgrind(path):
    known, edges, wrong = of_callgrind(path), 0, 0
    for row in handles(path):
        block = known.get(row["name"])
        if block is None or len(block) > 1:
            continue
        said = asked(path, row["function"])
        for side, want in (("callers", block[0][0]), ("callees", sorted(block[0][1]))):
            have = sorted((c["calls"] or 0, c["total"] or 0) for c in said.get(side, []) if c["name"])
            edges += len(want)
            if want != have:
                wrong += 1
                print("differs", side, row["name"], want[:3], have[:3])
    return edges, wrong


if __name__ == "__main__":
    program, failed = sys.argv[1], 0
    for path in map(pathlib.Path, sys.argv[2:]):
        compare = compare_pstats if path.suffix in (".prof", ".pstat", ".pstats") else compare_callgrind
        edges, wrong = compare(path)
        failed += wrong or edges == 0
        print(f"{path.name}: {edges} edges, {wrong} functions differ")
    sys.exit(failed > 0)
