import io


class HTTPResponse(io.IOBase):
    _pool = _connection = None

    def __init__(self, original):
        self._original_response = self._fp = original
        self.status, self.headers = original.status, original.headers
        self.chunked, self.chunk_left = bool(original.chunked), None
        self.length_remaining = original.length

    def _fp_read(self, amt=None):
        return self._fp.read(amt) if amt is not None else self._fp.read()

    def read(self, amt=None):
        data = self._fp_read(amt)
        if self.length_remaining is not None:
            self.length_remaining -= len(data)
        if self._original_response.isclosed():
            self.release_conn()
        return data

    def _update_chunk_length(self):
        self.chunk_left = int(self._fp.fp.readline() or b"cut", 16)

    def _handle_chunk(self, amt):
        data = self._fp.fp.read(self.chunk_left)
        self._fp.fp.readline()
        self.chunk_left = None
        return data

    def stream(self, amt=None):
        try:
            while True:
                self._update_chunk_length()
                if self.chunk_left == 0:
                    break
                yield self._handle_chunk(amt)
            self._fp.fp.readline()
        finally:
            self._original_response.close()
            self.release_conn()

    def release_conn(self):
        if self._pool is not None:
            self._pool._put_conn(self._connection)

    def close(self):
        if not self._original_response.isclosed():
            self._original_response.close()
            if self._connection is not None:
                self._connection.close()
