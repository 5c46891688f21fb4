"""So much of aiohttp as tests need: its public calls, and the inner names and order of events that the real one has."""

import json as dumping
import urllib.parse

from .client_reqrep import ClientRequest, ClientResponse
from .connector import TCPConnector
from .streams import StreamReader

__all__ = ["ClientSession", "ClientRequest", "ClientResponse", "StreamReader", "TCPConnector"]


class ClientSession:
    _base_url = None

    def __init__(self):
        self.connector = TCPConnector()

    async def post(self, url, **named):
        return await self._request("POST", url, **named)

    async def _request(self, method, str_or_url, *, json=None, headers={}):
        parts = urllib.parse.urlsplit(str_or_url)
        request = ClientRequest(method, parts, dumping.dumps(json).encode(), headers)
        response = await request.send(await self.connector._create_connection(parts))
        await response.start()
        return response
