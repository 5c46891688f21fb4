"""Asyncio tasks and coroutines of the program."""


def install(module, folder):
    """`module` is asyncio or uvloop, just imported."""
