import asyncio


class TCPConnector:
    async def _create_connection(self, parts):
        return await asyncio.open_connection(parts.hostname, parts.port)
