# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is what happens: every command of its pages is run, in order, as a reader would.

In a page, a block ```LANG file=NAME is a file to write. A block ```console holds commands behind "$ " (further lines of one
end in a backslash) and what they print: "..." stands for anything, within a line or as lines. Commands that print more than
the page shows must say so with "...". A page's commands share one shell and one empty folder, and an installed tapewatch.
"""
import os
import pathlib
import re
import signal
import subprocess

import pytest

import kit

DOCS = kit.ROOT / "docs"
PAGES = sorted(p for p in DOCS.glob("*.md") if "```console" in p.read_text()) + [kit.ROOT / "README.md"]
BLOCK = re.compile(r"^```(\w+)?(?: file=(\S+))?[^\n]*\n(.*?)^```$", re.M | re.S)
END = "--- end of the command: "


def blocks(page):
    return [(m.group(1), m.group(2), m.group(3)) for m in BLOCK.finditer(page.read_text())]


def commands(block):
    """Pairs of a command and what it should print."""
    found = []
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + next(lines).strip()
            found.append((command, []))
        else:
            found[-1][1].append(line)
    return found


def matches(expected, printed):
    pattern = "\n".join(expected).strip()
    if not pattern:
        return True
    parts = [re.escape(p) for p in re.split(r"\.\.\.", pattern)]
    return re.fullmatch(".*".join(parts), printed.strip(), re.S) is not None


class Shell:
    """One bash for a page; stderr is shown with stdout, as on a terminal."""

    def __init__(self, folder, prefix):
        packages = next(prefix.glob("**/pkgconfig/tapewatch.pc")).parent
        env = {**os.environ, "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder), "HOME": str(folder),
               "CMAKE_PREFIX_PATH": str(prefix), "PKG_CONFIG_PATH": str(packages)}
        env.pop("TAPEWATCH_PLUGINS", None)
        self.process = subprocess.Popen(["bash", "-o", "pipefail"], cwd=folder, env=env, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def run(self, command):
        self.process.stdin.write(f"{command}\ncode=$?; echo; echo '{END}'$code\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(END):
                return "".join(lines), int(line[len(END):])
            lines.append(line)
        raise AssertionError(f"the shell ended in {command}:\n{''.join(lines)}")

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.communicate()


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    build = pathlib.Path(kit.BIN).resolve().parents[1]
    done = subprocess.run(["cmake", "--install", build, "--prefix", folder], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_commands_of_the_page_do_what_it_says(page, prefix, tmp_path):
    shell = Shell(tmp_path, prefix)
    try:
        for language, name, text in blocks(page):
            if name:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            elif language == "console":
                for command, expected in commands(text):
                    printed, code = shell.run(command)
                    # a page that shows a mistake shows the sentence for it; "..." alone is no excuse for a failure
                    shown = any("error:" in line for line in expected)
                    assert (code != 0) == shown, f"{command}: exit {code}\n{printed}"
                    assert matches(expected, printed), \
                        f"$ {command}\nprints\n{printed}\nwhere {page.name} says\n" + "\n".join(expected)
    finally:
        shell.close()


def test_the_reference_is_what_the_plugins_say():
    done = kit.tapewatch("plugins", "--markdown")
    assert done.returncode == 0, done.stderr
    assert (DOCS / "reference.md").read_text() == done.stdout, \
        "docs/reference.md is out of date: build/bin/tapewatch plugins --markdown > docs/reference.md"


def test_every_page_is_reached_from_the_readme():
    seen, todo = set(), [kit.ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in link:
                target = (page.parent / link).resolve()
                assert target.exists(), f"{page.name} links to {link}, which is not there"
                if target.suffix == ".md":
                    todo.append(target)
    assert not [p.name for p in DOCS.glob("*.md") if p.resolve() not in seen]
