from .connection import HTTPConnection


class HTTPConnectionPool:
    def __init__(self, host, port):
        self.link = HTTPConnection(host, port)

    def urlopen(self, method, url, body=None, headers={}, retries=0):
        response = self._make_request(self.link, method, url, body=body, headers=headers)
        response._pool, response._connection = self, self.link
        if response.status == 429 and retries:
            response.read()
            return self.urlopen(method, url, body, headers, retries - 1)
        return response

    def _make_request(self, conn, method, url, body=None, headers=None):
        """Perform a request on a given connection."""
        conn.request(method, url, body, headers)
        return conn.getresponse()

    def _put_conn(self, conn):
        self.link = conn
