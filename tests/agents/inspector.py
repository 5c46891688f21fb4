"""Drives `inferscope mcp` with the inspector of the Model Context Protocol (npm: @modelcontextprotocol/inspector).

    python3 tests/agents/inspector.py PROGRAM FOLDER INSPECTOR     # FOLDER as client.py leaves it
"""
import json, subprocess, sys

program, folder, inspector = sys.argv[1:]


def ask(method, *more):
    call = [inspector, "--cli", program, "mcp", folder, "--method", method, *more]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (call, done.stderr)
    return json.loads(done.stdout)


def tool(name, **arguments):
    named = [part for key, value in arguments.items() for part in ("--tool-arg", f"{key}={value}")]
    result = ask("tools/call", "--tool-name", name, *named)
    return result["content"][0], result.get("isError", False)


tools = {t["name"]: t for t in ask("tools/list")["tools"]}
assert {"summary", "hot", "tree", "callers", "gaps", "requests", "findings", "diff", "lines", "picture"} == set(tools), tools.keys()
for t in tools.values():
    kinds = [p.get("type") for p in t["inputSchema"]["properties"].values()]
    assert t["description"] and all(isinstance(kind, str) for kind in kinds), t
for name, arguments in [
    ("summary", {}),
    ("hot", {"file": "a.prof", "budget": 300}),
    ("tree", {"file": "a.prof", "inverted": "true"}),
    ("callers", {"file": "a.prof", "function": "encode", "top": 5}),
    ("diff", {"base": "a.prof", "head": "b.prof"}),
    ("hot", {"file": "hostile/names.json"}),
]:
    content, failed = tool(name, **arguments)
    said = content["text"]
    assert not failed and said and not any(line.strip().startswith("Ignore all") for line in said.splitlines()), (name, said)
for name, arguments, says in [
    ("hot", {"file": "../a.prof"}, "not"),
    ("hot", {"file": "hostile/out.json"}, "is not below"),
    ("hot", {"file": "n" * 100_000}, "is not there"),
    ("callers", {"file": "a.prof", "function": "__init__"}, "by its handle"),
]:
    content, failed = tool(name, **arguments)
    assert failed and says in content["text"] and len(content["text"]) < 4000, (name, content)
assert tool("picture", file="a.prof", size="200x100")[0]["mimeType"] == "image/png"
assert len(ask("resources/list")["resources"]) == 2
print("all right")
