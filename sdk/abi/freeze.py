#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Freeze a version of the binary contract, or say again what a frozen one says.

    sdk/abi/freeze.py 0.9            write sdk/abi/0.9/layout.h from sdk/abi/0.9/plugin.h
    sdk/abi/freeze.py 0.9 --print    print it instead
    sdk/abi/freeze.py 1.0 --new      copy today's plugin.h and push.h to sdk/abi/1.0 first
    sdk/abi/freeze.py 0.9 --compare  abidiff: what breaks plugins of 0.9 in today's header; exit code 1 if anything does

layout.h states the offset and size of every member, the size of every struct and the value of every constant as
static assertions. The host is compiled with it, so today's header cannot move what a plugin in the field relies on.
The names come from abidw (package abigail-tools), the numbers from the compiler. A 64-bit machine is needed.
The frozen header itself is what is kept for --compare, and compiled anew: a dump of abidw would be that of one machine.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

ABI = pathlib.Path(__file__).resolve().parent
TODAY = ABI.parent / "include/tapewatch"
CC = os.environ.get("CC", "cc")

# Allocated by whoever reads them, or elements of arrays without an element size: these cannot even be appended to.
# All others carry struct_size (or option_size), or lie at the end of struct tw_event, which does.
CLOSED = {"tw_err", "tw_str", "tw_list", "tw_pos", "tw_num", "tw_detail"}


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, text=True, stdout=subprocess.PIPE).stdout


def compile_export(header, out, *flags):
    """The object that abidw and abidiff look at, compiled against a folder that has tapewatch/plugin.h."""
    run(CC, "-std=c11", "-g", "-O0", "-shared", "-fPIC", "-fvisibility=hidden", "-I", header, *flags,
        ABI / "export.c", "-o", out)


def members(tree, decl, types):
    """The names that can be written behind `struct NAME.`: those of unnamed unions count as members."""
    for var in decl.findall("data-member/var-decl"):
        if var.get("name"):
            yield var.get("name")
        else:
            yield from members(tree, types[var.get("type-id")], types)


def structs(shared_object):
    tree = xml.fromstring(run("abidw", "--no-show-locs", shared_object))
    types = {d.get("id"): d for d in tree.iter() if d.tag in ("class-decl", "union-decl")}
    for d in types.values():
        if d.get("name", "").startswith("tw_") and d.get("is-declaration-only") != "yes":
            yield ("union" if d.tag == "union-decl" else "struct"), d.get("name"), list(members(tree, d, types))


def constants(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for body in re.findall(r"^enum \{(.*?)\};", text, re.S | re.M):
        yield from re.findall(r"\b(TW_\w+)\s*(?:=[^,]*)?(?:,|$)", body.strip())


def layout(version):
    frozen = ABI / version / "plugin.h"
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        (folder / "tapewatch").mkdir()
        shutil.copy(frozen, folder / "tapewatch")
        compile_export(folder, folder / "export.so")
        found = sorted(structs(folder / "export.so"), key=lambda s: s[1])
        lines = []
        for kind, name, names in found:
            for m in names:
                if name == "tw_event" and f"tw_{m}" in {s[1] for s in found}:  # a kind, which can be appended to
                    lines.append(f'printf("FROZEN_KIND({m}, %zu);\\n", offsetof(struct tw_event, {m}));')
                    continue
                lines.append(f'printf("FROZEN_AT({kind} {name}, {m}, %zu, %zu);\\n", offsetof({kind} {name}, {m}), '
                             f"sizeof((({kind} {name} *)0)->{m}));")
            word = "FROZEN_SIZE" if name in CLOSED else "FROZEN_START"
            lines.append(f'printf("{word}({kind} {name}, %zu);\\n\\n", sizeof({kind} {name}));')
        lines.append('printf("FROZEN_VALUE(TW_MAGIC, 0x%xu);\\n", TW_MAGIC);')
        for name in constants(frozen.read_text()):
            if name == "TW_ANY":  # gains a bit with every new kind
                continue
            lines.append(f'printf("FROZEN_VALUE({name}, %d);\\n", (int){name});')
        (folder / "print.c").write_text("#include <stdio.h>\n#include <tapewatch/plugin.h>\nint main(void)\n{\n" +
                                        "\n".join(lines) + "\nreturn 0;\n}\n")
        run(CC, "-std=c11", "-I", folder, folder / "print.c", "-o", folder / "print")
        body = run(folder / "print")
    return f"""/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins built for ABI {version} rely on, checked against the header that is included before this file. Written by
 * `sdk/abi/freeze.py {version}` from the frozen plugin.h beside it; not edited. core/plugin/layout.c includes it.
 */
{body}"""


UNION = re.compile(r"(there are data member changes:$|type 'union \{.*' of 'anonymous data member' changed:$|"
                   r"type '.*' of '__anonymous_union__::\w+' changed, as reported earlier$)")


def appended_only(name, lines):
    """Does a block of abidiff's report say no more than that members were put behind the last one?"""
    size = 0
    for line in (text.strip() for text in lines):
        grown = re.match(r"type size changed from (\d+) to \d+ \(in bits\)$", line)
        inserted = re.match(r"'.*', at offset (\d+) \(in bits\)$", line)
        if grown:
            size = size or int(grown[1])
        elif inserted and (int(inserted[1]) >= size or name == "tw_event"):
            continue  # a new kind begins where the other members of the union do
        elif not re.match(r"(\d+ data member insertions?:|type size hasn't changed)$", line) and not (
                name == "tw_event" and UNION.match(line)):
            return False
    return name not in CLOSED


def compare(version, include):
    """The report of abidiff about what is not allowed to change, block by block."""
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        (folder / "tapewatch").mkdir()
        shutil.copy(ABI / version / "plugin.h", folder / "tapewatch")
        compile_export(folder, folder / "old.so")
        compile_export(include, folder / "new.so")
        done = subprocess.run(["abidiff", "--leaf-changes-only", "--harmless", "--no-show-locs", folder / "old.so",
                               folder / "new.so"], text=True, stdout=subprocess.PIPE)
    if done.returncode & 3:
        sys.exit("abidiff failed")
    if done.returncode == 0:
        return []
    blocks = []
    for line in done.stdout.splitlines():
        named = re.match(r"'(?:struct|union|enum|class) (\w+)' changed:$", line)
        if named:
            blocks.append((named[1], [line]))
        elif blocks and line.strip():
            blocks[-1][1].append(line)
        elif not blocks and line.strip() and not re.search(r"summary:", line):
            blocks.append(("", [line]))
    if not blocks or done.returncode & 8:
        return [done.stdout]
    return ["\n".join(lines) for name, lines in blocks if not appended_only(name, lines[1:])]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("version")
    args.add_argument("--print", action="store_true")
    args.add_argument("--new", action="store_true")
    args.add_argument("--compare", action="store_true")
    args.add_argument("--include", default=TODAY.parent, help="the folder of today's tapewatch/plugin.h")
    a = args.parse_args()
    folder = ABI / a.version
    if a.new:
        if folder.exists():
            sys.exit(f"{folder} is frozen already; a new version needs a new name")
        folder.mkdir()
        for name in ("plugin.h", "push.h"):
            shutil.copy(TODAY / name, folder)
    if a.compare:
        breaks = compare(a.version, a.include)
        print("\n".join(breaks) or f"plugins of {a.version} still find everything where it was")
        sys.exit(1 if breaks else 0)
    text = layout(a.version)
    if a.print:
        print(text, end="")
    else:
        (folder / "layout.h").write_text(text)


if __name__ == "__main__":
    main()
