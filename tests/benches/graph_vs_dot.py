"""Crossings, width and time of our drawings against Graphviz dot on the same graphs.

    GRAPH_OUT=/tmp/graphs cargo bench --bench graph
    python3 tests/benches/graph_vs_dot.py /tmp/graphs/100 /tmp/graphs/500

Needs `dot` and numpy. Both drawings are measured in the same way: curves as short lines, pairs of edges
that cross and share no node, counted once.

Its rows in assets/guide/speed.md:
- its crossings and width against Graphviz dot, 100 / 500 functions
"""
import json
import subprocess
import sys
import time

import numpy as np

PIECES = 8


def line(curve):
    points = []
    for i in range(0, len(curve) - 1, 3):
        a, b, c, d = curve[i : i + 4]
        for k in range(PIECES):
            t = k / PIECES
            u = 1 - t
            mix = lambda n: u**3 * a[n] + 3 * u * u * t * b[n] + 3 * u * t * t * c[n] + t**3 * d[n]
            points.append((mix(0), mix(1)))
    return points + [tuple(curve[-1])]


def crossings(edges):
    pieces, owner = [], []
    for i, (_, _, curve) in enumerate(edges):
        points = line(curve)
        for p, q in zip(points, points[1:]):
            if p != q:
                pieces.append((*p, *q))
                owner.append(i)
    s, owner = np.array(pieces), np.array(owner)
    side = lambda ax, ay, bx, by, cx, cy: (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    pairs = set()
    for i, (x1, y1, x2, y2) in enumerate(s):
        r = s[i + 1 :]
        near = (
            (np.minimum(r[:, 0], r[:, 2]) <= max(x1, x2))
            & (np.maximum(r[:, 0], r[:, 2]) >= min(x1, x2))
            & (np.minimum(r[:, 1], r[:, 3]) <= max(y1, y2))
            & (np.maximum(r[:, 1], r[:, 3]) >= min(y1, y2))
        )
        at = np.nonzero(near)[0]
        r = r[at]
        d1, d2 = side(x1, y1, x2, y2, r[:, 0], r[:, 1]), side(x1, y1, x2, y2, r[:, 2], r[:, 3])
        d3 = side(r[:, 0], r[:, 1], r[:, 2], r[:, 3], x1, y1)
        d4 = side(r[:, 0], r[:, 1], r[:, 2], r[:, 3], x2, y2)
        for j in at[(d1 * d2 < 0) & (d3 * d4 < 0)]:
            pairs.add((owner[i], owner[i + 1 + j]))
    return sum(len({*edges[a][:2], *edges[b][:2]}) == 4 for a, b in pairs if a != b)


def through(nodes, edges):
    """Edges that touch a node that is not theirs."""
    boxes = np.array([(x - w / 2 + 1, y - h / 2 + 1, x + w / 2 - 1, y + h / 2 - 1) for x, y, w, h in nodes])
    bad = 0
    for a, b, curve in edges:
        p = np.array(line(curve))[:, None]
        x, y = p[..., 0], p[..., 1]
        inside = ((x > boxes[:, 0]) & (x < boxes[:, 2]) & (y > boxes[:, 1]) & (y < boxes[:, 3])).any(axis=0)
        inside[[a, b]] = False
        bad += bool(inside.any())
    return bad


def dot(path):
    start = time.time()
    text = subprocess.run(["dot", "-Tplain", path], capture_output=True, text=True, check=True).stdout
    seconds = time.time() - start
    width, edges = 0.0, []
    for row in text.replace("\\\n", "").splitlines():
        f = row.split()
        if f[0] == "graph":
            width = float(f[2]) * 72
        if f[0] == "edge":
            curve = [(float(f[4 + 2 * k]) * 72, float(f[5 + 2 * k]) * 72) for k in range(int(f[3]))]
            edges.append((int(f[1]), int(f[2]), curve))
    return width, edges, seconds


for base in sys.argv[1:]:
    with open(base + ".json") as file:
        ours = json.load(file)
    width, edges, seconds = dot(base + ".dot")
    mine, theirs = crossings(ours["edges"]), crossings(edges)
    print(
        f"{base}: crossings {mine} / dot {theirs} = {mine / max(theirs, 1):.2f}, "
        f"width {ours['width']:.0f} / {width:.0f} = {ours['width'] / width:.2f}, "
        f"edges through nodes {through(ours['nodes'], ours['edges'])}, dot took {seconds * 1000:.0f} ms"
    )
