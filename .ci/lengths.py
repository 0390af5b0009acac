#!/usr/bin/env python3
"""Files stay under 400 lines before their tests, functions under 40.

A match that is a table may be longer if a comment right above the function says so: `// A table: ...`.
"""

import pathlib
import re
import sys

FILE, FUNCTION = 400, 40
FN = re.compile(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:const |async |unsafe |extern \"C\" )*fn (\w+)")


def code(path):
    """The lines before the tests."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line == "#[cfg(test)]" and number + 1 < len(lines) and lines[number + 1].startswith("mod "):
            return lines[:number]
    return lines


def functions(lines):
    """Name, first line (from 0) and length of each function; rustfmt puts the last brace under the first letter."""
    for start, line in enumerate(lines):
        found = FN.match(line)
        if not found:
            continue
        indent = found[1]
        for end in range(start, len(lines)):
            if lines[end].rstrip().endswith(";") and end == start:
                break
            if lines[end] == indent + "}" or (end == start and line.endswith("}")):
                yield found[2], start, end - start + 1
                break


def is_table(lines, start):
    while start > 0 and lines[start - 1].lstrip().startswith(("//", "#[")):
        start -= 1
        if "// A table:" in lines[start]:
            return True
    return False


def main():
    too_long, files, longest = [], 0, 0
    for root in ["src", "adapters", "sim/src", "cli/src", "bench/src", "fuzz/bodies/src"]:
        for path in sorted(pathlib.Path(root).rglob("*.rs")):
            if "tests" in path.parts or path.name == "tests.rs":
                continue
            files += 1
            lines = code(path)
            longest = max(longest, len(lines))
            if len(lines) > FILE:
                too_long.append(f"{path}: {len(lines)} lines before the tests, at most {FILE}")
            for name, start, length in functions(lines):
                if length > FUNCTION and not is_table(lines, start):
                    too_long.append(f"{path}:{start + 1}: {name} has {length} lines, at most {FUNCTION}")
    print("\n".join(too_long) or f"{files} files, the longest has {longest} lines before its tests")
    return 1 if too_long else 0


sys.exit(main())
