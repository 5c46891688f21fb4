"""Drives `inferscope mcp` with the official client of the Model Context Protocol.

    python3 tests/agents/client.py PROGRAM FOLDER      # FOLDER has a.prof and b.prof
"""
import asyncio, sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def text(result):
    return result.content[0].text


def failed(result):
    return getattr(result, "is_error", None) or getattr(result, "isError", False)


async def main(program, folder):
    server = StdioServerParameters(command=program, args=["mcp", folder])
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = {t.name for t in (await session.list_tools()).tools}
            assert {"summary", "hot", "tree", "callers", "gaps", "requests", "findings", "diff", "lines", "picture"} == tools, tools
            assert "a.prof" in text(await session.call_tool("summary", {}))
            for name, arguments in [
                ("summary", {"file": "a.prof"}),
                ("hot", {"file": "a.prof", "sort": "total", "top": 5}),
                ("tree", {"file": "a.prof", "budget": 300}),
                ("callers", {"file": "a.prof", "function": "_iterencode_dict"}),
                ("diff", {"base": "a.prof", "head": "b.prof"}),
            ]:
                result = await session.call_tool(name, arguments)
                assert not failed(result) and len(text(result)) > 100, (name, text(result))
            for name, arguments in [("hot", {"file": "../a.prof"}), ("hot", {"file": "a.prof\nx"}), ("gaps", {"file": "a.prof"})]:
                result = await session.call_tool(name, arguments)
                assert failed(result), (name, text(result))
            assert {str(r.uri) for r in (await session.list_resources()).resources} == {"inferscope://guide", "inferscope://formats"}
            many = await asyncio.gather(*(session.call_tool("hot", {"file": "a.prof"}) for _ in range(20)))
            assert len({text(r) for r in many}) == 1
    print("all right")


asyncio.run(main(*sys.argv[1:]))
