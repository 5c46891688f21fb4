"""Bodies without what people and models wrote, for recordings without texts and where there are too many: numbers, names of models, ids and reasons stay, of
every other text that there is one is only known that it was there."""

import json
import zlib

# Keys whose texts are no prompt and no answer.
KEPT = frozenset(
    (
        "id",
        "object",
        "type",
        "model",
        "modelVersion",
        "model_version",
        "modelId",
        "responseId",
        "service_tier",
        "serviceTier",
        "role",
        "status",
        "code",
        "finish_reason",
        "finishReason",
        "stop_reason",
        "stopReason",
        "done_reason",
        "created_at",
        "createTime",
        "modality",
        "ttl",
    )
)
# Everything below these is what somebody wrote, whatever it is called there.
WRITTEN = frozenset(("metadata", "arguments", "tools", "functions", "logit_bias", "response_format"))
# More of a line is not looked at.
LONGEST = 1 << 20


def scrubbed(value, key="", depth=0):
    """The value without texts."""
    if isinstance(value, str):
        return value[:200] if key in KEPT else value and "x"
    if depth > 40:
        return None
    if isinstance(value, dict):
        # Names of usage counts are ours to know; those of arguments are the program's.
        return {
            k: None if k in WRITTEN and not has_usage(v) else scrubbed(v, k, depth + 1) for k, v in value.items()
        }
    if isinstance(value, list):
        return [scrubbed(v, key, depth + 1) for v in value]
    return value


def has_usage(value):
    """Bedrock tells its usage in something that is called metadata."""
    return isinstance(value, dict) and isinstance(value.get("usage"), dict)


def whole(body):
    """A whole body; empty when it is no JSON."""
    try:
        return json.dumps(scrubbed(json.loads(body.decode("utf-8")))).encode()
    except ValueError:
        return b""


def line_of(line):
    """A line of a stream of events or of JSON lines."""
    text = line.strip()
    if text.startswith(b"data:"):
        data = text[5:].strip()
        return b"data: " + (data if data == b"[DONE]" else whole(data)) + b"\n"
    if text.startswith(b"{"):
        return whole(text) + b"\n"
    if text.startswith(b"event:") or not text:
        return line
    return b"\n"


class Stream:
    """The body of an answer, piece by piece: lines as soon as they are whole, anything else at its end."""

    def __init__(self, kind, coding):
        kind, self.left = (kind or "").lower(), b""
        self.lines = "event-stream" in kind or "ndjson" in kind or "jsonl" in kind
        coding = (coding or "identity").lower()
        self.known = coding in ("identity", "gzip", "x-gzip", "deflate") and "amazon" not in kind
        self.packed = zlib.decompressobj(47) if coding != "identity" and self.known else None

    def piece(self, data):
        if not self.known:
            return b""
        if self.packed is not None:
            try:
                data = self.packed.decompress(data, LONGEST)
            except zlib.error:
                self.known = False
                return b""
        if len(self.left) + len(data) > LONGEST:
            # Neither a line nor a whole body that could be told apart from texts.
            self.known, self.left = False, b""
            return b""
        self.left += data
        if not self.lines:
            return b""
        *lines, self.left = self.left.split(b"\n")
        return b"".join(line_of(line + b"\n") for line in lines)

    def rest(self):
        left, self.left = self.left, b""
        if not left or not self.known:
            return b""
        return line_of(left) if self.lines else whole(left)
