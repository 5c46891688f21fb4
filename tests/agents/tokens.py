"""How well answers keep to their budget, in real tokens.

    python3 tests/agents/tokens.py PROGRAM FOLDER [FILES]

Asks `summary`, `hot`, `tree`, `callers` and `gaps` of FILES profiles below FOLDER (40 by default, every format in turn) with
budgets of 400, 800 and 2000 tokens, and counts the tokens of the answers as o200k_base does. An answer that left something
out has to be within 15 % of its budget, any other one below 115 %. Needs tiktoken, or bpe-openai, which brings its table along.
"""
import pathlib, subprocess, sys

try:
    import bpe_openai
    encoding = bpe_openai.get_encoding("o200k_base")
except ImportError:
    import tiktoken
    encoding = tiktoken.get_encoding("o200k_base")

QUESTIONS = [["summary"], ["hot"], ["hot", "--sort", "total"], ["tree"], ["callers", "--function", "f0"], ["gaps"]]
LARGEST = 20 << 20


def chosen(folder, count):
    """Files of all formats in turn."""
    by = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < LARGEST):
        by.setdefault(path.relative_to(folder).parts[0], []).append(path)
    found = []
    while any(by.values()) and len(found) < count:
        for paths in by.values():
            while paths:
                path = paths.pop(len(paths) // 2)
                if ask(["summary"], path, 800) is not None:
                    found.append(path)
                    break
    return found[:count]


def ask(question, path, budget):
    call = [program, question[0], str(path), *question[1:], "--budget", str(budget)]
    done = subprocess.run(call, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def main(folder, count=40):
    asked = cut = wrong = 0
    least, most = 9.0, 0.0
    files = chosen(pathlib.Path(folder), int(count))
    for path in files:
        for question in QUESTIONS:
            for budget in (400, 800, 2000):
                text = ask(question, path, budget)
                if text is None:
                    continue
                share = len(encoding.encode(text)) / budget
                # The summary ends with lists of a few rows each.
                left_out = "… " in text and "--budget" in text
                asked, cut = asked + 1, cut + left_out
                most = max(most, share)
                least = min(least, share) if left_out else least
                if share > 1.15 or (left_out and share < 0.85):
                    wrong += 1
                    print(f"{share:.2f} of {budget}: {' '.join(question)} {path}")
    print(f"{len(files)} files, {asked} answers, {cut} cut: {least:.2f} to {most:.2f} of their budget, {wrong} outside of 15 %")
    return wrong > 0


if __name__ == "__main__":
    program, rest = sys.argv[1], sys.argv[2:]
    sys.exit(main(*rest))
