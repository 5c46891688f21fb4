"""What torch.profiler recorded becomes rows of a dataset, on each rank and before it leaves the machine."""

import os
import subprocess
import sys
import tempfile
import threading

from .__main__ import find


def _rank():
    """The rank of this process, by the variable that launchers set."""
    rank = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    return int(rank) if rank.isdigit() else 0


def fleet(dataset, *, folder=None, spans="all", labels=None):
    """A function for ``torch.profiler.profile(on_trace_ready=…)``: adds each trace to a dataset (``inferscope fleet add``).

    ``folder`` keeps the traces, too; otherwise they are removed once they are read. ``spans`` is all, gpu or none. ``labels`` are
    names with values; ``job`` says which ranks belong together (otherwise the dataset's name), and windows of one process
    after the first get a number behind it. What fails is said on standard error: training goes on.
    """
    dataset = os.path.abspath(os.path.expanduser(dataset))
    labels = dict(labels or {})
    job = str(labels.pop("job", os.path.basename(dataset)))
    window = 0

    def add(path):
        words = [find(), "fleet", "add", path, "--to", dataset, "--spans", spans, "--jobs", "1"]
        named = dict(labels, job=job if window == 1 else "%s-%d" % (job, window))
        for name in sorted(named):
            words += ["--label", "%s=%s" % (name, named[name])]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode("utf-8", "replace").strip())

    def ready(profiler):
        nonlocal window
        window += 1
        name = "rank%d.%d.%d.pt.trace.json.gz" % (_rank(), os.getpid(), window)
        try:
            if folder is not None:
                where = os.path.abspath(os.path.expanduser(folder))
                os.makedirs(where, exist_ok=True)
                path = os.path.join(where, name)
                profiler.export_chrome_trace(path)
                add(path)
                return
            with tempfile.TemporaryDirectory(prefix="inferscope-") as where:
                path = os.path.join(where, name)
                profiler.export_chrome_trace(path)
                add(path)
        except Exception as error:
            print("inferscope: the trace was not added to %s: %s" % (dataset, error), file=sys.stderr)

    return ready
