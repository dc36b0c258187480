# SPDX-License-Identifier: Apache-2.0
"""File systems of our own, in a mount namespace of our own: nothing of them is left behind, whatever happens."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import struct
import subprocess
import time

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
EXT4_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


def private_namespace():
    """Why it cannot be had, or None. Before any thread starts: a namespace belongs to a thread."""
    if os.geteuid() != 0:
        return "needs root"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return f"no mount namespace: {os.strerror(ctypes.get_errno())}"
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return f"mounts cannot be made private: {os.strerror(ctypes.get_errno())}"
    return None


def quietly(*command):
    """None, or what the command said when it failed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip() or f"{command[0]} failed").splitlines()[-1]


def unmount(path):
    for _ in range(100):
        if quietly("umount", path) is None:
            return
        time.sleep(0.02)
    raise OSError(f"{path} cannot be unmounted")


@contextlib.contextmanager
def tmpfs(path, size):
    path.mkdir(parents=True, exist_ok=True)
    why = quietly("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
    if why:
        raise OSError(why)
    try:
        yield path
    finally:
        unmount(path)


class PowerlessDisk:
    """An ext4 in a file that can be switched off: what was not synced is gone."""

    def __init__(self, folder, size="96M"):
        self.image, self.path = pathlib.Path(folder) / "disk.img", pathlib.Path(folder) / "disk"
        self.path.mkdir()
        why = quietly("truncate", "-s", size, self.image) or quietly("mkfs.ext4", "-q", "-F", self.image)
        if why:
            raise OSError(why)
        self.mounted = False

    def on(self):
        why = quietly("mount", "-o", "loop", self.image, self.path)
        if why:
            raise OSError(why)
        self.mounted = True

    def cut_power(self):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def off(self):
        if self.mounted:
            unmount(self.path)
        self.mounted = False
