# SPDX-License-Identifier: Apache-2.0
"""The Debian packages in a clean root: install, run, write plugins of one's own, install again, remove, purge.

Needs root, mmdebstrap, and a Debian mirror for the first time; the root is kept in build-package/, and each test starts
from the same unpacked one, in order."""
import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

import kit

PACKAGES = kit.ROOT / "build-package"
TOOLS = ["cmake", "make", "gcc", "g++", "clang", "libc6-dev", "pkg-config", "man-db"]
TOOLCHAINS = {
    "gcc": ("-DCMAKE_C_COMPILER=gcc", ""),
    "clang": ("-DCMAKE_C_COMPILER=clang", ""),
    "c++17": ("-DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_EXTENSIONS=OFF", "--cpp"),
}


def suite():
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    return release.get("VERSION_CODENAME", "").strip('"')


@pytest.fixture(scope="module")
def debs():
    if kit.SANITIZED:
        pytest.skip("packages are built without sanitizers, whatever the program under test")
    if os.geteuid() != 0:
        pytest.skip("only root can make a clean root")
    if not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    done = subprocess.run([kit.ROOT / "dev", "package"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {p.name.split("_")[0]: p for p in PACKAGES.glob("*.deb")}
    assert set(found) == {"tapewatch", "libtapewatch-dev"}
    return found


def base(debs):
    """A packed root with what the packages depend on, and with compilers. They are not in it themselves."""
    wanted = subprocess.run(["dpkg-deb", "-f", debs["tapewatch"], "Depends"], text=True, capture_output=True, check=True)
    depends = [re.split(r"[ (|]", d.strip())[0] for d in wanted.stdout.split(",")]
    include = ",".join(sorted({*depends, *TOOLS}))
    path = PACKAGES / f"root-{suite()}-{hashlib.sha256(include.encode()).hexdigest()[:12]}.tar"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        done = subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--format=tar", f"--include={include}", suite(),
                               part], text=True, capture_output=True)
        if done.returncode != 0:
            part.unlink(missing_ok=True)
            pytest.skip(f"no clean root, is there a Debian mirror? {done.stderr.strip().splitlines()[-1:]}")
        part.rename(path)
    return path


class Root:
    def __init__(self, folder):
        self.folder = folder

    def try_(self, command, user="root"):
        """A shell's command inside, with a /proc of its own that goes when the command ends."""
        inside = ["chroot", self.folder, "runuser", "-u", user, "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                  f"HOME=/home/{user}" if user != "root" else "HOME=/root", "LC_ALL=C.UTF-8",
                  "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command]
        return subprocess.run(["unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.folder}/proc", *inside],
                              text=True, capture_output=True, timeout=600)

    def run(self, command, user="root"):
        done = self.try_(command, user)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def has(self, path):
        return os.path.lexists(self.folder / path.lstrip("/"))


@pytest.fixture(scope="module")
def root(debs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    os.chmod(folder, 0o755)
    subprocess.run(["tar", "-C", folder, "--exclude=./dev/*", "-xf", base(debs)], check=True)
    (folder / "dev").mkdir(exist_ok=True)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(folder / "dev" / name, 0o666 | 0o020000, os.makedev(1, minor))
        os.chmod(folder / "dev" / name, 0o666)
    for deb in debs.values():
        shutil.copy(deb, folder / "root")
    root = Root(folder)
    root.run("adduser --quiet --disabled-password --gecos '' quant")
    yield root
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(root):
    root.run("dpkg -i /root/*.deb")
    return root


def test_installing_makes_the_user_and_the_folder_of_the_state(installed):
    assert installed.run("dpkg-query -W -f '${db:Status-Status}\n' tapewatch libtapewatch-dev").split() == ["installed"] * 2
    user, _, number, _, _, home, shell = installed.run("getent passwd tapewatch").strip().split(":")
    assert int(number) < 1000 and home == "/var/lib/tapewatch" and shell == "/usr/sbin/nologin"
    assert installed.run("stat -c '%U %G %a' /var/lib/tapewatch").split() == ["tapewatch", "tapewatch", "700"]
    assert installed.run("dpkg-query -W -f '${Conffiles}' tapewatch").split()[0] == "/etc/tapewatch/conf.d/10-demo.yaml"


def test_what_was_installed_is_complete(installed):
    assert re.match(r"tapewatch \d", installed.run("tapewatch --version"))
    verbs = re.findall(r"^  ([a-z]+) ", installed.run("tapewatch help"), re.M)
    for verb in set(verbs) - {"help"}:
        assert installed.run(f"man -w tapewatch-{verb}").strip().endswith(f"/tapewatch-{verb}.1.gz")
    plugins = {p["name"] for p in json.loads(installed.run("tapewatch plugins --json"))}
    assert plugins == {p.name for p in kit.ROOT.glob("plugins/*/*") if list(p.glob("*.c"))}
    for shell, path in (("bash", "bash-completion/completions/tapewatch"), ("zsh", "zsh/vendor-completions/_tapewatch"),
                        ("fish", "fish/vendor_completions.d/tapewatch.fish")):
        assert (installed.folder / "usr/share" / path).read_text() == installed.run(f"tapewatch --completion {shell}")
    unit = (installed.folder / "usr/lib/systemd/system/tapewatch.service").read_text()
    assert "ExecStart=/usr/bin/tapewatch run -c /etc/tapewatch/conf.d -d /var/lib/tapewatch\n" in unit


def test_the_unit_is_hardened(installed):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = installed.folder / "usr/lib/systemd/system/tapewatch.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], text=True,
                          capture_output=True)
    level = re.search(r"Overall exposure level for tapewatch.service: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= 2.0


def test_the_command_of_the_unit_runs_as_its_user(installed):
    unit = (installed.folder / "usr/lib/systemd/system/tapewatch.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
    installed.run(f"cd /var/lib/tapewatch && TAPEWATCH_DEMO_DURATION=2h {command}", user="tapewatch")
    alerts = kit.json_lines(installed.run("tapewatch alerts --json -d /var/lib/tapewatch", user="tapewatch"))
    assert len(alerts) > 0
    assert installed.try_("tapewatch alerts -d /var/lib/tapewatch", user="quant").returncode != 0  # not for everybody


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("kind", ["detector", "source", "sink"])
def test_a_plugin_of_ones_own(installed, kind, toolchain):
    settings, options = TOOLCHAINS[toolchain]
    name = f"mine_{kind}_{toolchain.replace('+', 'p')}"
    said = installed.run(f"cd && tapewatch new {kind} {name} {options}", user="quant")
    steps = re.search(r"^  (cmake -B build && cmake --build build)( && ctest.*)$", said, re.M)
    # without the test kit there is nothing for ctest
    tests = steps[2] if installed.has("/usr/include/tapewatch/test.h") else ""
    begin = steps[1].replace("-B build", f"-B build -DCMAKE_COMPILE_WARNING_AS_ERROR=ON {settings}")
    installed.run(f"cd ~/{name} && {begin}{tests}", user="quant")
    last = re.search(r"^  (TAPEWATCH_PLUGINS=.*)$", said, re.M)[1]
    installed.run(f"cd ~/{name} && {last}", user="quant")
    alerts = kit.json_lines(installed.run(f"cd ~/{name} && tapewatch alerts --json -d data", user="quant"))
    assert len(alerts) == 1
    if kind == "detector":
        assert alerts[0]["type"] == name


def test_the_administrators_configuration_survives_an_upgrade(installed):
    conf = installed.folder / "etc/tapewatch/conf.d/10-demo.yaml"
    conf.write_text(conf.read_text() + "# edited\n")
    installed.run("dpkg -i --force-confdef /root/*.deb")
    assert conf.read_text().endswith("# edited\n")
    installed.run("dpkg -r libtapewatch-dev tapewatch")
    assert not installed.has("/usr/bin/tapewatch") and not installed.has("/usr/include/tapewatch")
    assert conf.exists() and installed.has("/var/lib/tapewatch/state.lmdb")


def test_purging_leaves_nothing(root):
    root.run("dpkg -P tapewatch")
    left = root.run("find / -xdev -name '*tapewatch*' -not -path '/home/*' -not -path '/root/*' -not -path '/proc/*' "
                    "-not -path '/var/log/*' -not -path '/var/cache/man/*'").split()
    assert left == []
    assert root.try_("dpkg-query -W tapewatch").returncode != 0
