#!/usr/bin/env python3
"""Whose types stand in the public signatures of a crate? Reads the JSON of rustdoc."""

import json
import sys

# serde for those who switch `json` on; futures_core is the trait `Stream` and nothing else.
ALLOWED = {"core", "alloc", "std", "bytes", "steadfast", "serde_core", "serde_json", "futures_core"}


def paths(node):
    """Every path to a type or trait below this node."""
    if isinstance(node, dict):
        if {"path", "id", "args"} <= node.keys():
            yield node
        for child in node.values():
            yield from paths(child)
    elif isinstance(node, list):
        for child in node:
            yield from paths(child)


def is_ours(item):
    """What a dependency implements for every type there is says nothing about this crate."""
    impl = item["inner"].get("impl")
    return not (impl and (impl["blanket_impl"] or impl["is_synthetic"]))


def main(file):
    with open(file, encoding="utf-8") as text:
        docs = json.load(text)
    names = {int(number): crate["name"] for number, crate in docs["external_crates"].items()}
    strangers = set()
    seen = 0
    for item in docs["index"].values():
        if item["crate_id"] != 0 or not is_ours(item):
            continue
        for path in paths(item["inner"]):
            summary = docs["paths"].get(str(path["id"]))
            if summary is None or summary["crate_id"] == 0:
                continue
            seen += 1
            crate = names[summary["crate_id"]]
            if crate not in ALLOWED:
                where = f"{item['span']['filename']}:{item['span']['begin'][0]}" if item["span"] else item["name"]
                strangers.add(f"{where}: {'::'.join(summary['path'])}")
    print("\n".join(sorted(strangers)) or f"{file}: {seen} paths, all of {', '.join(sorted(ALLOWED))}")
    return 1 if strangers or not seen else 0


sys.exit(main(sys.argv[1]))
