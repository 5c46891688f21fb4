"""Compares `inferscope callers` with Python's pstats and with callgrind_annotate, edge by edge.

    python3 tests/agents/callers.py PROGRAM FILE...        # .prof files, and files of callgrind
"""
import json, pathlib, pstats, re, subprocess, sys

MOST = 40  # functions of a file


def asked(path, function):
    call = [program, "callers", str(path), "--function", function, "--json"]
    done = subprocess.run(call, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def handles(path, most=MOST):
    call = [program, "hot", str(path), "--sort", "total", "--json"]
    rows = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)["functions"]
    return [r for r in rows if r["calls"]][:most]


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


def parts(path):
    """What callgrind wrote of one run: a file for each thread or dump is opened with the others of its name."""
    found = re.match(r"(.*\.out(?:\.\d+)?)-\d+$", str(path))
    return sorted(path.parent.glob(pathlib.Path(found[1]).name + "-*")) if found else [path]


def of_callgrind(path):
    """Calls and cost of each pair of functions, by name: callgrind_annotate takes those of one name and file in two objects
    for one, and one whose calls name another file than its body for two."""
    pairs, names = {}, set()
    for part in parts(path):
        call = ["callgrind_annotate", "--threshold=100", "--tree=calling", "--show=Ir", "--auto=no", str(part)]
        text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
        here = None
        for line in text.splitlines():
            found = LINE.match(line)
            if not found:
                here = None
                continue
            cost, kind, name, calls = found.groups()
            name = name.split(":", 1)[-1]
            number = lambda n: int(n.replace(",", "")) if n and n != "." else 0
            if kind == "*":
                here = name
                names.add(name)
            elif here is not None:
                known = pairs.get((here, name), (0, 0))
                pairs[here, name] = (known[0] + number(calls), known[1] + number(cost))
    return pairs, names


def compare_callgrind(path):
    known, names = of_callgrind(path)
    rows = handles(path)
    looked = {row["name"] for row in rows} & names
    have = {}
    # Every function of a name that is looked at, or its pairs are not whole.
    for row in handles(path, most=None):
        if row["name"] in looked:
            for callee in asked(path, row["function"]).get("callees", []):
                pair = (row["name"], callee["name"])
                before = have.get(pair, (0, 0))
                have[pair] = (before[0] + (callee["calls"] or 0), before[1] + (callee["total"] or 0))
    want = {pair: edge for pair, edge in known.items() if pair[0] in looked}
    wrong = {pair for pair in want.keys() | have.keys() if want.get(pair) != have.get(pair)}
    for pair in sorted(wrong)[:8]:
        print("differs", *pair, want.get(pair), have.get(pair))
    return len(want), len({pair[0] for pair in wrong})


if __name__ == "__main__":
    program, failed = sys.argv[1], 0
    for path in map(pathlib.Path, sys.argv[2:]):
        compare = compare_pstats if path.suffix in (".prof", ".pstat", ".pstats") else compare_callgrind
        edges, wrong = compare(path)
        failed += wrong or edges == 0
        print(f"{path.name}: {edges} edges, {wrong} functions differ")
    sys.exit(failed > 0)
