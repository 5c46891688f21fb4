"""Drives `inferscope mcp` with the official client of the Model Context Protocol (`pip install mcp`).

    python3 tests/agents/client.py PROGRAM FOLDER      # FOLDER has a.prof and b.prof; hostile files are put beside them
"""
import asyncio, os, pathlib, sys

from hostile import LONG, NAMES, SECRET, make
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

QUESTIONS = {"summary", "hot", "tree", "callers", "gaps", "requests", "findings", "diff", "lines"}


def text(result):
    return result.content[0].text


def failed(result):
    return getattr(result, "is_error", None) or getattr(result, "isError", False)


def check(said, at_most=6000):
    """Nothing in an answer begins a line of its own, acts on a terminal, or is a secret."""
    begins = [line.strip() for line in said.splitlines()]
    assert not any(b.startswith(("Ignore all", "SYSTEM:", "Injected:")) for b in begins), said
    assert not any(ord(c) < 32 and c != "\n" or c in "\x7f\u0085\u2028\u2029\u202e" for c in said), repr(said)
    assert SECRET not in said and len(said) < at_most, (len(said), said[:400])


async def usual(session):
    tools = (await session.list_tools()).tools
    assert {t.name for t in tools} == QUESTIONS | {"picture"}, tools
    assert "a.prof" in text(await session.call_tool("summary", {}))
    for name, arguments in [
        ("summary", {"file": "a.prof"}),
        ("summary", {"file": "latest"}),
        ("hot", {"file": "a.prof", "sort": "total", "top": 5}),
        ("tree", {"file": "a.prof", "budget": 300}),
        ("callers", {"file": "a.prof", "function": "_iterencode_dict"}),
        ("lines", {"file": "a.prof"}),
        ("diff", {"base": "a.prof", "head": "b.prof"}),
    ]:
        result = await session.call_tool(name, arguments)
        assert not failed(result) and len(text(result)) > 100, (name, text(result))
        assert getattr(result, "structuredContent", None) is None and len(result.content) == 1, "nothing is said twice"
    picture = await session.call_tool("picture", {"file": "a.prof", "size": "200x100"})
    assert picture.content[0].type == "image", picture
    assert {str(r.uri) for r in (await session.list_resources()).resources} == {"inferscope://guide", "inferscope://formats"}
    guide = await session.read_resource("inferscope://guide")
    assert "inferscope summary FILE" in guide.contents[0].text
    many = await asyncio.gather(*(session.call_tool("hot", {"file": "a.prof"}) for _ in range(20)))
    assert len({text(r) for r in many}) == 1


async def hostile_files(session):
    check(text(await session.call_tool("summary", {})), at_most=20_000)
    for question in sorted(QUESTIONS - {"diff"}):
        arguments = {"file": "hostile/names.json"}
        if question == "callers":
            arguments["function"] = "f0"
        check(text(await session.call_tool(question, arguments)))
    check(text(await session.call_tool("diff", {"base": "hostile/names.json", "head": "a.prof"})))
    check(text(await session.call_tool("hot", {"file": "hostile/a\nb\x1b[31m.json"})))


async def refused(session):
    for name, arguments in [
        ("hot", {"file": "../a.prof"}),
        ("hot", {"file": "/etc/passwd"}),
        ("hot", {"file": "hostile/out.json"}),
        ("hot", {"file": "hostile/round.json"}),
        ("hot", {"file": "hostile/up/etc/passwd"}),
        ("hot", {"file": "/dev/zero"}),
        ("hot", {"file": "hostile"}),
        ("hot", {"file": "hostile/empty.json"}),
        ("hot", {"file": "hostile/deep.json"}),
        ("hot", {"file": "a.prof\nx"}),
        ("hot", {"file": "a.prof\0"}),
        ("hot", {"file": LONG}),
        ("hot", {"file": "a.prof", "contains": LONG}),
        ("hot", {"file": "a.prof", "metric": LONG}),
        ("hot", {"file": "a.prof", "top": -1}),
        ("hot", {"file": "a.prof", "budget": 10**30}),
        ("hot", {"file": "a.prof", "x\nInjected: yes": "1"}),
        ("callers", {"file": "a.prof", "function": NAMES[0]}),
        ("callers", {"file": "a.prof", "function": LONG}),
        ("lines", {"file": "a.prof", "source": LONG}),
        ("gaps", {"file": "a.prof"}),
        ("picture", {"file": "a.prof", "view": "--help"}),
        ("picture", {"file": "a.prof", "size": "1000000x1000000"}),
        ("record", {"command": ["true"], "out": "x.inferscope"}),
        ("show", {"file": "a.prof"}),
        (NAMES[0], {}),
    ]:
        shown = str(arguments)[:80]
        try:
            result = await session.call_tool(name, arguments)
        except Exception as refusal:  # A client may refuse by itself what the definition does not allow.
            check(str(refusal))
            continue
        assert failed(result), (name, shown, text(result)[:400])
        check(text(result))


async def main(program, folder):
    folder = pathlib.Path(folder)
    make(folder / "hostile")
    os.utime(folder / "a.prof")
    server = StdioServerParameters(command=program, args=["mcp", str(folder)])
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            await usual(session)
            await hostile_files(session)
            await refused(session)
            await usual(session)
    print("all right")


asyncio.run(main(*sys.argv[1:]))
