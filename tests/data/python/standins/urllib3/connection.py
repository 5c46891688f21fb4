import http.client
import socket

from .response import HTTPResponse


class HTTPConnection(http.client.HTTPConnection):
    def _new_conn(self):
        return socket.create_connection((self.host, self.port))

    def connect(self):
        self.sock = self._new_conn()

    def request(self, method, url, body=None, headers={}):
        self.putrequest(method, url)
        for name, value in dict(headers, **{"content-length": len(body or b"")}).items():
            self.putheader(name, str(value))
        self.endheaders(body)

    def getresponse(self):
        return HTTPResponse(super().getresponse())


class HTTPSConnection(HTTPConnection):
    def connect(self):
        raise OSError("no TLS here")
