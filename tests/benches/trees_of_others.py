"""How well call trees made from a .prof file match what the file records: ours, snakeviz's and tuna's.

    pip install snakeviz==2.2.2 tuna==0.5.15
    python3 tests/benches/trees_of_others.py target/release/inferscope sample_profiles/pstats/*-py311.prof

Trees are made by the other tools' own code at their defaults; snakeviz's is JavaScript and needs `node`. Measured as `cargo bench
--bench tree` does: the share of all self time that has a place in the tree, and by how much the totals of functions above 1 % of the
whole (their outermost places, added up) differ from the recorded ones: median and 90th percentile.
"""
import json
import math
import os
import pstats
import re
import subprocess
import sys

import snakeviz
from snakeviz.stats import json_stats
from tuna._runtime_profile import read_runtime_profile

FOLDER = os.path.dirname(snakeviz.__file__)
MAKE = """
const stats = %s, window = {};
const _ = require(%s), Immutable = require(%s);
%s
%s
const root = sv_find_root(stats);
console.log(JSON.stringify(sv_build_hierarchy(root, 0, 10, 0.001, stats[root].stats[3])));
"""


def snakeviz_tree(path):
    """Nodes as (function, depth, total, self), parents first."""
    stats = json_stats(pstats.Stats(path))
    page = open(os.path.join(FOLDER, "templates", "viz.html")).read()
    build = re.search(r"function sv_build_hierarchy\(.*?\n      }\n", page, re.S).group()
    script = open(os.path.join(FOLDER, "static", "snakeviz.js")).read()
    root = re.search(r"var sv_find_root = .*?\n};\n", script, re.S).group()
    vendor = [json.dumps(os.path.join(FOLDER, "static", "vendor", name + ".min.js")) for name in ("lodash", "immutable")]
    program = MAKE % (json.dumps(stats), *vendor, build, root)
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1])
    nodes, todo = [], [(json.loads(done.stdout), 0)]
    while todo:
        node, depth = todo.pop()
        children = node.get("children", [])
        own = [child["time"] for child in children if child["name"] == node["name"]]
        whole = not stats[node["name"]]["children"]
        nodes.append((node["name"], depth, node["time"], own[0] if own else node["time"] if whole else 0.0))
        todo.extend((child, depth + 1) for child in children if child["name"] != node["name"])
    return nodes


def tuna_tree(path):
    nodes = []

    def walk(node, depth):
        name = node["text"][0].replace("::", ":", 1).replace("::", "(", 1) + ")"
        children = node.get("children")
        if children is None:
            nodes.append((name, depth, node["value"], node["value"]))
            return node["value"]
        at = len(nodes)
        nodes.append(None)
        total = own = 0.0
        for child in children:
            if child["text"][0] == node["text"][0] + "::self":
                own += child["value"]
                total += child["value"]
            elif child["text"][0] == "Possible calls of":
                total += child["value"]  # a box without a function
            else:
                total += walk(child, depth + 1)
        nodes[at] = (name, depth, total, own)
        return total

    walk(read_runtime_profile(path), 0)
    return nodes


def measured(nodes, recorded):
    whole = sum(own for own, _ in recorded.values())
    outermost, above = dict.fromkeys(recorded, 0.0), []
    for name, depth, total, _ in nodes:
        del above[depth:]
        if name not in above and name in outermost:
            outermost[name] += total
        above.append(name)
    errors = sorted(
        abs(outermost[name] - total) / total for name, (_, total) in recorded.items() if total > whole / 100
    )
    at = lambda share: errors[min(len(errors) - 1, math.ceil(share * len(errors)) - 1)]
    placed = sum(own for name, _, _, own in nodes if name in recorded) / whole
    return placed, at(0.5), at(0.9)


def ours(program, path):
    done = subprocess.run([program, "report", "--json", "--tree", path], capture_output=True, text=True, check=True)
    estimate = json.loads(done.stdout)["estimate"]
    return estimate["placed"] / estimate["total"], estimate["median_error"], estimate["p90_error"]


def main():
    sys.setrecursionlimit(100000)
    program, paths = sys.argv[1], sys.argv[2:]
    print("| file | inferscope | snakeviz 2.2.2 | tuna 0.5.15 |\n|---|---|---|---|")
    for path in paths:
        cells = [os.path.basename(path)]
        try:
            stats = pstats.Stats(path).stats
            recorded = {"%s:%s(%s)" % key: (value[2], value[3]) for key, value in stats.items()}
        except Exception as error:
            sys.exit(f"{path}: {error}")
        for tree in (None, snakeviz_tree, tuna_tree):
            try:
                figures = ours(program, path) if tree is None else measured(tree(path), recorded)
                cells.append("%.1f %%, %.1f / %.1f %%" % tuple(100 * figure for figure in figures))
            except (ValueError, KeyError, TypeError, RecursionError):
                cells.append("cannot read it")
        print("| " + " | ".join(cells) + " |")


main()
