"""An assistant that answers questions: it embeds each, looks documents up, asks a tool, and streams an answer of a model.

    inferscope record command -o assistant.inferscope -- python assistant.py

It needs nothing but Python: without OPENAI_BASE_URL it starts model_server.py beside it. Its calls are plain `urllib` requests, as
many at a time as there are threads.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

QUESTIONS = [
    "Why is the first token slow?",
    "What does a cache of answers save?",
    "How many requests fit into a batch?",
    "When does a queue grow?",
    "Which part of the prompt is repeated?",
    "How long may a prompt be?",
]
DOCUMENTS = {
    "latency": "The first token waits for the queue and for the prompt to be read.",
    "cache": "A cache of answers saves the whole call, a cache of prompts their reading.",
    "batch": "Requests of a batch share the weights that are read for each token.",
}
printing = threading.Lock()


def request(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    key = os.environ.get("OPENAI_API_KEY")
    if key:
        headers["authorization"] = "Bearer " + key
    return urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60)


def post(base, route, body):
    """Tries again when the server is busy."""
    for attempt in range(4):
        try:
            return request(base + route, body)
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 429 or attempt == 3:
                    raise
                error.read()
            time.sleep(0.05 * 2**attempt)


def streamed(response):
    """Words of an answer as they come."""
    with response:
        for line in response:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    yield choice.get("delta", {}).get("content") or ""


def answer(base, question, model):
    with post(base, "/embeddings", {"model": "text-embedding-3-small", "input": question}) as response:
        json.load(response)
    documents = [text for name, text in DOCUMENTS.items() if name in question] or list(DOCUMENTS.values())
    with request(base.rpartition("/")[0] + "/tools/clock?token=not-kept") as response:
        json.load(response)
    messages = [{"role": "system", "content": " ".join(documents)}, {"role": "user", "content": question}]
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    text = "".join(streamed(post(base, "/chat/completions", dict(body, max_tokens=8 + 2 * len(question) // 3))))
    with printing:
        print("%s\n  %s" % (question, text))


def main():
    base, server = os.environ.get("OPENAI_BASE_URL"), None
    if not base:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model_server.py")
        server = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
        base = "http://127.0.0.1:%d/v1" % int(server.stdout.readline())
    models = sys.argv[1:] or ["gpt-4o-mini", "busy-gpt-4o-mini"]
    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(answer, base, q, models[n % len(models)]) for n, q in enumerate(QUESTIONS)]
            for job in jobs:
                job.result()
    finally:
        if server is not None:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
