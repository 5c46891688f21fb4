"""So much of urllib3 2 as tests need: its public calls, and the inner names and order of events that the real one has."""

from .connectionpool import HTTPConnectionPool

__all__ = ["HTTPConnectionPool"]
