"""Spans of your own in an inferscope recording, and inferscope in a notebook.

    from inferscope_profiler import profiled, span

    @profiled                      # a span for each call; async functions and generators, too
    def retrieve(question): ...

    with span("generate", model="llama"):
        ...

``inferscope record command -- python app.py`` records them. Without inferscope, ``INFERSCOPE_SPANS=FOLDER python app.py`` leaves
them as ``FOLDER/spans-PID.json``, a Chrome trace that inferscope and Perfetto open. When the variable is not set,
nothing records: ``profiled`` gives back the function itself, and ``span`` an object that does nothing.

``torch.profiler.profile(on_trace_ready=fleet("job"))`` adds what each rank recorded to a dataset of many runs.

``%load_ext inferscope_profiler`` in a notebook adds ``%%inferscope``, which profiles a cell.
"""

import os as _os

__all__ = ["fleet", "profiled", "span"]

FOLDER = _os.environ.get("INFERSCOPE_SPANS")


class _Nothing:
    """The span while nothing records."""

    __slots__ = ()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return False


if FOLDER:
    from ._spans import profiled, span
else:
    _NOTHING = _Nothing()

    def span(name, **values):
        """A span from here to the end of the ``with`` block. ``values`` are shown with it."""
        return _NOTHING

    def profiled(function=None, *, name=None):
        """Makes each call of a function a span, by its name or another one."""
        return (lambda function: function) if function is None else function


def fleet(dataset, **options):
    """A function for ``torch.profiler.profile(on_trace_ready=…)`` that adds each trace to a dataset, see ``inferscope help fleets``."""
    from ._fleet import fleet

    return fleet(dataset, **options)


def load_ipython_extension(ipython):
    """``%load_ext inferscope_profiler``"""
    from ._notebook import register

    register(ipython)
