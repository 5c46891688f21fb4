"""Asks a model server in every way that a program may, and prints what it can see of that. talks.py BASE"""

import asyncio
import gzip
import inspect
import json
import sys
import traceback
import urllib.request

import aiohttp
import httpx2
import urllib3

BASE = sys.argv[1]
SAID = [{"role": "user", "content": "the zebra question"}]
KEY = {"authorization": "Bearer sk-abcdefghijklmnop1234"}


def body(model="gpt-4o-mini", **more):
    return dict({"model": model, "messages": SAID, "max_tokens": 6}, **more)


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def by_client():
    client = httpx2.Client()
    response = client.post(BASE + "/chat/completions?key=not-kept", body(), KEY)
    print("whole", json.loads(response.read())["usage"])
    response = client.post(BASE + "/chat/completions", body(**STREAM), KEY)
    pieces = list(response.iter_bytes())
    print("stream", response.status_code, type(response.stream).__name__, b"".join(pieces)[-16:])
    response = client.post(BASE + "/messages", body("claude-sonnet-4-5", stream=True), KEY)
    print("left", next(iter(response.stream))[:20])
    response.close()


async def by_async_client():
    client = httpx2.AsyncClient()

    async def one(n):
        response = await client.post(BASE + "/messages", body("claude-sonnet-4-5", stream=True), KEY)
        return n, b"".join([data async for data in response.aiter_bytes()])[-20:]

    print(await asyncio.gather(*[one(n) for n in range(3)]))
    response = await client.post(BASE + "/chat/completions", body(), KEY)
    print("async", json.loads(await response.aread())["choices"][0]["message"]["content"])
    response = await client.post(BASE + "/chat/completions", body("cut-model", **STREAM), KEY)
    try:
        print(len([data async for data in response.aiter_bytes()]))
    except Exception as error:
        print("cut", type(error).__name__)
    # Holds the loop.
    print("held", httpx2.Client().post(BASE + "/chat/completions", body(), KEY).status_code)
    try:
        await client.post("http://127.0.0.1:9/v1/chat/completions", body(), KEY)
    except httpx2.ConnectError as error:
        print("refused", type(error.__cause__).__name__)


def by_urllib():
    def ask(url, value, **headers):
        data = json.dumps(value).encode()
        return urllib.request.urlopen(urllib.request.Request(url, data, dict(headers, **KEY)))

    with ask(BASE + "/chat/completions", body("packed-model")) as response:
        print("packed", json.loads(gzip.decompress(response.read()))["usage"])
    with ask(BASE + "/chat/completions", body(**STREAM)) as response:
        print("lines", [line[:7] for line in response][-2:])
    with ask(BASE + "/embeddings", {"model": "text-embedding-3-small", "input": ["a b", "c"]}) as response:
        print("embeddings", len(json.load(response)["data"]))
    with urllib.request.urlopen(BASE.rpartition("/")[0] + "/tools?token=not-kept") as response:
        print("tool", response.read(5), len(response.read()))
    try:
        urllib.request.urlopen("http://127.0.0.1:9/")
    except OSError as error:
        print("no tool", error)


def by_urllib3():
    host, _, port = BASE.split("/")[2].partition(":")

    def ask(path, value, **more):
        pool = urllib3.HTTPConnectionPool(host, int(port))
        return pool.urlopen("POST", path, json.dumps(value).encode(), KEY, **more)

    response = ask("/v1/chat/completions", body("busy-model"), retries=2)
    print("tried again", json.loads(response.read())["usage"])
    response = ask("/v1/chat/completions", body(**STREAM))
    print("pieces", response.read(10), [piece[:6] for piece in ask("/v1/messages", body(stream=True)).stream()][-1])
    response.close()
    try:
        list(ask("/v1/messages", body("cut-model", stream=True)).stream())
    except ValueError as error:
        print("cut", error)


async def by_aiohttp():
    session = aiohttp.ClientSession()
    response = await session.post(BASE + "/chat/completions", json=body(), headers=KEY)
    print("aiohttp", json.loads(await response.read())["usage"])
    response.release()
    response = await session.post(BASE + "/chat/completions", json=body(**STREAM), headers=KEY)
    print("aiohttp stream", (await response.read())[-16:])
    response.release()
    response = await session.post(BASE + "/messages", json=body("cut-model", stream=True), headers=KEY)
    try:
        print(await response.read())
    except ValueError as error:
        print("cut", error)
    response.close()
    try:
        await session.post("http://127.0.0.1:9/v1/messages", json=body(), headers=KEY)
    except OSError as error:
        print("refused", type(error).__name__)


def look():
    send = httpx2.Client._send_single_request
    print(send.__name__, send.__qualname__, send.__module__, inspect.signature(send), inspect.getdoc(send))
    print(inspect.getsource(send).splitlines()[0], inspect.iscoroutinefunction(httpx2.AsyncClient._send_single_request))
    print([t for t in sys.modules if "inferscope" in t], sys.getprofile(), sys.gettrace())


def failing():
    """A failure, as the program shows it."""
    try:
        httpx2.Client().post("http://127.0.0.1:9/v1/messages", body("claude-sonnet-4-5"), KEY)
    except httpx2.ConnectError as error:
        if sys.version_info >= (3, 11):
            traceback.print_exc()
        print(error, repr(error.__context__))


look()
by_client()
asyncio.run(by_async_client())
by_urllib()
by_urllib3()
asyncio.run(by_aiohttp())
failing()
sys.exit(5)
