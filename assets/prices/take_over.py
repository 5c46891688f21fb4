#!/usr/bin/env python3
"""Writes prices.json.gz, the price table that inferscope carries, out of the PyPI package `genai-prices` (MIT).

    pip install genai-prices
    python assets/prices/take_over.py [--litellm model_prices_and_context_window.json]

Taken are providers of models and the large resellers, with history, tiers, times of day and service tiers. What the layout cannot say
is printed. With LiteLLM's table the prices that differ between both are printed, too, so that a wrong entry is seen.
"""

import argparse
import datetime
import gzip
import importlib.metadata
import json
import pathlib
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

# Which providers, what traces call them (the first that fits counts), who sells models of others, and whose prices stand in.
PROVIDERS = {
    "azure": {"known_as": ["*azure*", "az.*"], "reseller": True, "instead": ["openai", "deepseek", "x-ai"]},
    "aws": {"known_as": ["*bedrock*", "aws*", "*amazon*"], "reseller": True, "instead": ["anthropic"]},
    "groq": {"known_as": ["*groq*"], "reseller": True, "instead": []},
    "openai": {"known_as": ["*openai*"]},
    "anthropic": {"known_as": ["*anthropic*"]},
    "google": {"known_as": ["*google*", "*vertex*", "*gemini*", "gcp*"], "instead": ["anthropic"]},
    "mistral": {"known_as": ["mistral*"]},
    "deepseek": {"known_as": ["*deepseek*"]},
    "x-ai": {"known_as": ["x-ai", "x_ai", "xai", "x.ai", "*grok*"]},
    "cohere": {"known_as": ["*cohere*"]},
    "moonshotai": {"known_as": ["*moonshot*", "kimi*"]},
    "perplexity": {"known_as": ["*perplexity*"]},
}

RATES = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "input_image_mtok": "image_input",
    "output_audio_mtok": "audio_output",
    "requests_kcount": "requests",
    "web_searches_kcount": "searches",
}

TODAY = datetime.date.today().isoformat()

left_out = {}


def note(what, where):
    left_out.setdefault(what, []).append(where)


def number(value):
    return format(Decimal(value).normalize(), "f")


def rate(value):
    if isinstance(value, TieredPrices):
        return {"base": number(value.base), "above": {str(t.start): number(t.price) for t in value.tiers}}
    return number(value)


def rates(prices, where):
    found = {}
    for key, value in prices.__dict__.items():
        if value is None:
            continue
        if key in RATES:
            found[RATES[key]] = rate(value)
        else:
            note(f"rate {key}", where)
    return found


def condition(constraint, where):
    if constraint is None:
        return {}
    if isinstance(constraint, StartDateConstraint):
        return {"from": constraint.start_date.isoformat()}
    if isinstance(constraint, TimeOfDateConstraint):
        return {"hours": [constraint.start_time.strftime("%H:%M"), constraint.end_time.strftime("%H:%M")]}
    raise SystemExit(f"{where}: condition {constraint!r} is not known")


def pattern(clause):
    """A list of alternatives; an alternative is a pattern, or a list of patterns that must all fit."""
    if isinstance(clause, ClauseOr):
        return [p for part in clause.or_ for p in pattern(part)]
    if isinstance(clause, ClauseAnd):
        every = [pattern(part) for part in clause.and_]
        if any(len(p) != 1 for p in every):
            raise SystemExit(f"{clause!r} is not known")
        return [[p[0] for p in every]]
    if isinstance(clause, ClauseEquals):
        return [clause.equals.lower()]
    if isinstance(clause, ClauseStartsWith):
        return [clause.starts_with.lower() + "*"]
    if isinstance(clause, ClauseEndsWith):
        return ["*" + clause.ends_with.lower()]
    if isinstance(clause, ClauseContains):
        return ["*" + clause.contains.lower() + "*"]
    if isinstance(clause, ClauseRegex):
        regex = clause.regex
        if regex.startswith("^(?!.*") and regex.endswith(")"):
            return ["!/" + regex[len("^(?!.*") : -1] + "/"]
        if "(?" in regex.replace("(?:", ""):
            raise SystemExit(f"{regex} is not known")
        return ["/" + regex + "/"]
    raise SystemExit(f"{clause!r} is not known")


def variants(model, where):
    found = []
    for variant in model.price_variants or ():
        when = dict(variant.when)
        tier = when.pop("service_tier", None) or ("batch" if when.get("processing") == "batch" else when.get("speed"))
        when.pop("processing", None)
        when.pop("speed", None)
        if when or tier is None:
            note(f"variant {variant.when}", where)
            continue
        if own := rates(variant.prices, where):
            found.append({"tier": tier, **condition(variant.constraint, where), **own})
    return found


def dated(prices):
    """Gives rules with hours the date of the last rule before them: the package has no rule with both, and its peak prices would
    also hold for calls before there were any."""
    start = {}
    for price in prices:
        if "hours" in price:
            price.update(start)
        elif "from" in price:
            start = {"from": price["from"]}
    return prices


def model_row(provider, model):
    where = f"{provider.id}/{model.id}"
    row = {"provider": provider.id, "name": model.id}
    names = [p for p in pattern(model.match) if p != model.id.lower()]
    if names:
        row["match"] = names
    if model.context_window:
        row["context"] = model.context_window
    listed = [(None, model.prices)] if isinstance(model.prices, ModelPrice) else [(p.constraint, p.prices) for p in model.prices]
    row["prices"] = dated([{**condition(c, where), **rates(p, where)} for c, p in listed])
    if found := variants(model, where):
        row["tiers"] = found
    return row


def cross_check(path, table):
    known = json.loads(pathlib.Path(path).read_text(), parse_float=Decimal)
    keys = {"input": "input_cost_per_token", "output": "output_cost_per_token", "cache_read": "cache_read_input_token_cost"}
    compared = differ = 0
    for row in table["models"]:
        other = known.get(row["name"])
        newest = [p for p in row["prices"] if "hours" not in p and p.get("from", "") <= TODAY][-1]
        for name, key in keys.items():
            if not other or other.get(key) is None or name not in newest:
                continue
            ours = newest[name]["base"] if isinstance(newest[name], dict) else newest[name]
            compared += 1
            if Decimal(ours) != Decimal(other[key]) * 1_000_000:
                differ += 1
                print(f"differs: {row['provider']}/{row['name']} {name}: {ours}, LiteLLM {Decimal(other[key]) * 1_000_000:f}")
    print(f"{compared} prices compared with LiteLLM's, {differ} differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", help="LiteLLM's table, to compare with")
    args = parser.parse_args()
    by_id = {p.id: p for p in providers}
    rows = [model_row(by_id[id], m) for id in PROVIDERS for m in by_id[id].models]
    starts = [p["from"] for r in rows for p in r["prices"] + r.get("tiers", []) if "from" in p]
    version = importlib.metadata.version("genai-prices")
    table = {
        "layout": "inferscope-prices",
        "version": 1,
        "source": f"genai-prices {version} (MIT, github.com/pydantic/genai-prices)",
        "as_of": max(start for start in starts if start <= TODAY),
        "taken_over": TODAY,
        "currency": "USD",
        "per": 1_000_000,
        "providers": [{"id": id, **about} for id, about in PROVIDERS.items()],
        "models": [r for r in rows if any(set(p) & set(RATES.values()) for p in r["prices"])],
    }
    text = json.dumps(table, separators=(",", ":")).encode()
    to = pathlib.Path(__file__).with_name("prices.json.gz")
    to.write_bytes(gzip.compress(text, 9, mtime=0))
    for what, where in sorted(left_out.items()):
        print(f"left out: {what}: {len(where)} models ({', '.join(where[:3])}…)")
    print(f"{to.name}: {len(table['models'])} models, {len(text)} bytes, {to.stat().st_size} packed, as of {table['as_of']}")
    if args.litellm:
        cross_check(args.litellm, table)


if __name__ == "__main__":
    main()
