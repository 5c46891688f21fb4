"""What «where does the time go, and who calls it?» costs an agent: calls and tokens, beside other tools on the same file.

    python3 tests/agents/beside.py PROGRAM FIREFOX.json PPROF.pb.gz [PROFILER-CLI]

Tools that are not here are left out: Firefox's profiler-cli (npm: @firefox-devtools/profiler-cli), `go tool pprof`. Tokens are
those of o200k_base (bpe-openai or tiktoken). Each tool is asked as its own guide says.
"""
import json, re, shutil, subprocess, sys, time

try:
    import bpe_openai
    encoding = bpe_openai.get_encoding("o200k_base")
except ImportError:
    import tiktoken
    encoding = tiktoken.get_encoding("o200k_base")


def said(*call):
    return subprocess.run(call, capture_output=True, text=True).stdout


def row(name, answers):
    print(f"{name:<42} {len(answers):>2} calls {sum(len(encoding.encode(a)) for a in answers):>9,} tokens")


def ours(path):
    first = json.loads(said(program, "hot", path, "--json"))["functions"][0]["function"]
    row("inferscope summary, hot, callers", [
        said(program, "summary", path),
        said(program, "hot", path),
        said(program, "callers", path, "--function", first),
    ])
    row("inferscope summary, tree", [said(program, "summary", path), said(program, "tree", path)])
    row("inferscope report --json", [said(program, "report", path, "--json")])


def firefox(path, cli):
    loaded = said(cli, "load", path)
    # Its daemon needs a moment on a loaded machine.
    for _ in range(20):
        info = said(cli, "profile", "info")
        if "threads" in info:
            break
        time.sleep(0.5)
    row("profiler-cli load, info, samples, bottom-up", [
        loaded, info, said(cli, "thread", "samples"), said(cli, "thread", "samples-bottom-up")])
    row("profiler-cli load, info, top-down", [loaded, info, said(cli, "thread", "samples-top-down")])
    row("  its guide, read once", [said(cli, "guide")])
    said(cli, "stop", "--all")


def pprof(path):
    top = said("go", "tool", "pprof", "-top", path)
    first = re.search(r"% +(\S+)$", top, re.M)
    name = top.splitlines()[6].split("%")[-1].strip() if first else ""
    row("pprof -top, -top -cum, -peek", [
        top,
        said("go", "tool", "pprof", "-top", "-cum", path),
        said("go", "tool", "pprof", f"-peek={re.escape(name)}", path),
    ])
    row("pprof -top, -tree", [top, said("go", "tool", "pprof", "-tree", path)])


program, firefox_file, pprof_file, *cli = sys.argv[1:]
print(firefox_file.rsplit("/", 1)[-1])
ours(firefox_file)
if cli:
    firefox(firefox_file, cli[0])
print(pprof_file.rsplit("/", 1)[-1])
ours(pprof_file)
if shutil.which("go"):
    pprof(pprof_file)
