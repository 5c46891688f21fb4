"""A model server that needs nothing but Python: it speaks like OpenAI's and Anthropic's and answers with words of its own.

    python model_server.py [PORT [LOG]]

Prints the port it listens on. LOG gets a line of JSON for each request: its path, how many tokens were counted, when it arrived
and when each piece of the answer was sent and how long it is (ns of time.perf_counter_ns, bytes). Names of models say what happens: in `busy-…` each other request
is turned away, `cut-…` breaks off inside the answer, `packed-…` packs answers that are not streamed.
"""

import gzip
import http.server
import json
import sys
import threading
import time

WORDS = "The answer depends on the load and on how long the prompt is but it usually comes word by word".split()
FIRST, NEXT = 0.04, 0.008


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    log = None
    seen = 0
    lock = threading.Lock()

    def handle_error(self, request, client_address):
        """Clients that leave are no errors."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.whole(200, {"path": self.path, "tools": ["clock"]})

    def do_POST(self):
        self.arrived, self.pieces, self.counts = time.perf_counter_ns(), [], {}
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        model, path = body.get("model", ""), self.path.partition("?")[0]
        with self.server.lock:
            self.server.seen += 1
            turn = self.server.seen
        try:
            if model.startswith("busy") and turn % 2:
                self.whole(429, {"error": {"message": "slow down", "type": "rate_limit"}}, [("retry-after", "0")])
            elif path.endswith("/embeddings"):
                self.embeddings(body)
            elif path.endswith("/messages"):
                self.answer(body, Message(body))
            elif path.endswith("/chat/completions"):
                self.answer(body, Chat(body))
            else:
                self.whole(404, {"error": {"message": "no route %s" % path}})
        finally:
            if self.server.log:
                line = {"path": path, "arrived": self.arrived, "pieces": self.pieces, **self.counts}
                with self.server.lock, open(self.server.log, "a") as log:
                    log.write(json.dumps(line) + "\n")

    def whole(self, status, value, headers=(), packed=False):
        body = json.dumps(value).encode()
        if packed:
            body = gzip.compress(body, mtime=0)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", "req-%d" % self.server.seen)
        if packed:
            self.send_header("content-encoding", "gzip")
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.sent(body)

    def sent(self, data):
        self.pieces = getattr(self, "pieces", []) + [(time.perf_counter_ns(), len(data))]
        self.wfile.write(data)
        self.wfile.flush()

    def embeddings(self, body):
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        tokens = sum(len(text.split()) for text in texts)
        self.counts = {"input": tokens, "output": 0}
        time.sleep(FIRST / 4)
        rows = [{"object": "embedding", "index": n, "embedding": [0.1, 0.2, 0.3]} for n in range(len(texts))]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self.whole(200, {"object": "list", "model": body["model"], "data": rows, "usage": usage})

    def answer(self, body, form):
        time.sleep(FIRST)
        self.counts = {"input": form.input, "output": len(form.words)}
        if not body.get("stream"):
            time.sleep(NEXT * len(form.words))
            return self.whole(200, form.whole(), packed=form.model.startswith("packed"))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for n, event in enumerate(form.events()):
            if form.model.startswith("cut") and n == 4:
                self.close_connection = True
                return
            time.sleep(NEXT)
            self.wfile.write(b"%x\r\n" % len(event))
            self.sent(event)
            self.wfile.write(b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


class Form:
    """An answer: so many words as the request allows, and as many tokens."""

    def __init__(self, body):
        self.model = body["model"]
        most = body.get("max_tokens") or body.get("max_completion_tokens") or 12
        self.words = [WORDS[n % len(WORDS)] + " " for n in range(min(most, 64))]
        texts = [m["content"] if isinstance(m["content"], str) else json.dumps(m["content"]) for m in body["messages"]]
        self.input = sum(len(text.split()) for text in texts) + 3


class Chat(Form):
    """OpenAI's chat completions."""

    def __init__(self, body):
        super().__init__(body)
        self.with_usage = (body.get("stream_options") or {}).get("include_usage")

    def usage(self):
        n = len(self.words)
        return {"prompt_tokens": self.input, "completion_tokens": n, "total_tokens": self.input + n}

    def whole(self):
        message = {"role": "assistant", "content": "".join(self.words)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return {"id": "c-1", "object": "chat.completion", "model": self.model, "choices": choices, "usage": self.usage()}

    def events(self):
        def event(**more):
            chunk = {"id": "c-1", "object": "chat.completion.chunk", "model": self.model, **more}
            return b"data: " + json.dumps(chunk).encode() + b"\n\n"

        yield event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
        for word in self.words:
            yield event(choices=[{"index": 0, "delta": {"content": word}}])
        yield event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if self.with_usage:
            yield event(choices=[], usage=self.usage())
        yield b"data: [DONE]\n\n"


class Message(Form):
    """Anthropic's messages."""

    def message(self, content, reason, output):
        usage = {"input_tokens": self.input, "output_tokens": output}
        about = {"id": "m-1", "type": "message", "role": "assistant", "model": self.model}
        return {**about, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}

    def whole(self):
        return self.message([{"type": "text", "text": "".join(self.words)}], "end_turn", len(self.words))

    def events(self):
        def event(kind, **more):
            data = json.dumps({"type": kind, **more}).encode()
            return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)

        yield event("message_start", message=self.message([], None, 1))
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for word in self.words:
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        yield event("content_block_stop", index=0)
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        yield event("message_delta", delta=end, usage={"output_tokens": len(self.words)})
        yield event("message_stop")


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    Server.log = sys.argv[2] if len(sys.argv) > 2 else None
    server = Server(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
