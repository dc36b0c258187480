# SPDX-License-Identifier: Apache-2.0
"""What a power failure could have left: images of the files, rebuilt from a log of every write and sync of a real run.

At a chosen moment each write that no sync has confirmed may be there, not there, or there in part (512-byte sectors), in
any order; of the changes to a folder that were not synced, any beginning may be there. Every such image must show the
state of the last commit that was confirmed, or that of the one under way; nothing in between, and nothing less.
"""
import concurrent.futures
import copy
import json
import struct

from faults import faulty
from harness import Case, Violation, guarded
from kills import raise_late

SECTOR = 512
SINK = "out.jsonl"


class Op:
    __slots__ = ("kind", "path", "offset", "data")

    def __init__(self, kind, path, offset, data):
        self.kind, self.path, self.offset, self.data = kind, path, offset, data

    @property
    def confirms(self):
        """After it more is durable than before: a synchronous write (LMDB's root page), or a folder's sync."""
        return self.kind in "DY"


def read_log(path):
    raw, at, ops = path.read_bytes(), 0, []
    while at < len(raw):
        kind, n = chr(raw[at]), raw[at + 1]
        offset, length = struct.unpack_from("<QQ", raw, at + 2)
        at += 18
        name = raw[at:at + n].decode()
        at += n
        data = b""
        if kind in "WDR":
            data = raw[at:at + length]
            at += length
        ops.append(Op(kind, name, offset, data))
    return ops


def put(image, offset, data):
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset:offset + len(data)] = data


class File:
    def __init__(self):
        self.base, self.pending = bytearray(), []

    def settle(self):
        for offset, data in self.pending:
            put(self.base, offset, data)
        self.pending = []

    def cut(self, rng):
        """A file that only grows: file systems show its new length after the data, so it ends somewhere, at any byte."""
        image = bytearray(self.base)
        for offset, data in self.pending:
            put(image, offset, data)
        length = rng.randint(min(len(self.base), len(image)), len(image))
        return image[:length]

    def torn(self, rng):
        image, writes = bytearray(self.base), list(self.pending)
        rng.shuffle(writes)
        for offset, data in writes:
            fate = rng.random()
            if fate < 0.4:
                put(image, offset, data)
            elif fate < 0.7:
                for at in range(0, len(data), SECTOR):
                    if rng.random() < 0.5:
                        put(image, offset + at, data[at:at + SECTOR])
        return image


def folder_of(path):
    return path.rpartition("/")[0]


class Disk:
    """Files by number, names that are durable, and changes of names that are not yet."""

    def __init__(self):
        self.files, self.now, self.durable, self.pending = [], {}, {}, []

    @staticmethod
    def rename(names, op, number):
        if op.kind == "C":
            names[op.path] = number
        elif op.kind == "R":
            target = op.data.decode()
            if op.path in names:
                names[target] = names.pop(op.path)
        elif op.kind == "U":
            names.pop(op.path, None)

    def apply(self, op):
        if op.kind in "WD":
            f = self.files[self.now[op.path]]
            if op.kind == "W":
                f.pending.append((op.offset, op.data))
            else:
                put(f.base, op.offset, op.data)
        elif op.kind == "S":
            self.files[self.now[op.path]].settle()
        elif op.kind == "T":
            f = self.files[self.now[op.path]]
            f.settle()
            del f.base[op.offset:]
        elif op.kind in "CRU":
            number = len(self.files)
            if op.kind == "C":
                self.files.append(File())
            self.rename(self.now, op, number)
            self.pending.append((op, number))
        elif op.kind == "Y":
            rest = []
            for change, number in self.pending:
                if folder_of(change.path) == op.path:
                    self.rename(self.durable, change, number)
                else:
                    rest.append((change, number))
            self.pending = rest

    def confirmed(self):
        return {name: bytes(self.files[n].base) for name, n in self.durable.items()}

    def torn(self, rng, flying):
        """An image with `flying` under way."""
        names = dict(self.durable)
        for folder in sorted({folder_of(op.path) for op, _ in self.pending}):
            changes = [c for c in self.pending if folder_of(c[0].path) == folder]
            for op, number in changes[:rng.randint(0, len(changes))]:
                self.rename(names, op, number)
        image = {}
        for name, number in names.items():
            f = self.files[number]
            if flying.kind in "WD" and self.now.get(flying.path) == number:
                f = copy.deepcopy(f)
                f.pending.append((flying.offset, flying.data))
            image[name] = bytes(f.cut(rng) if name == SINK else f.torn(rng))
        return image


def write_image(image, folder):
    (folder / "store/tape").mkdir(parents=True, exist_ok=True)
    for name, data in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def state_of(case):
    """What the program makes of it: None, when there is no store yet."""
    done = case.t.call("tape", "info", "--json", case.store)
    if done.returncode in (2, 4) and "there is no " in done.stderr:
        return None
    if done.returncode != 0:
        raise Violation(f"`tape info` of an image ended with exit code {done.returncode}: {done.stderr[-300:]}")
    info = json.loads(done.stdout)
    return info["last_seq"], info["dead"], info["complete"], case.digest()


class Album:
    """The states that were confirmed, in order, each looked at once."""

    def __init__(self, torture, world, points):
        self.t, self.world, self.points, self.states = torture, world, points, {}

    def state(self, number):
        if number not in self.states:
            case = Case(self.t, self.world, "confirmed")
            write_image(self.points[number], case.folder)
            self.states[number] = state_of(case)
            case.drop()
        return self.states[number]


def one(torture, world, album, number, image, what, resume):
    def work(case):
        write_image(image, case.folder)
        case.history.append(f"# the image of a power failure during {what}, seed {torture.seed}")
        found, before, after = state_of(case), album.state(number), album.state(number + 1)
        torture.tally.add("images")
        if found not in (before, after):
            raise Violation(f"an image of a power failure during {what} shows {found}; confirmed was {before}, on its way "
                            f"{after}")
        if found is not None:
            case.look("tape", "verify", case.store)
        if resume:
            case.complete()
            case.check(replay=False)
            torture.tally.add("images resumed")

    guarded(torture, "images", Case(torture, world, "image"), work)


def record(torture, world):
    """A run with everything below one folder, its sink too, written down."""
    case = Case(torture, world, "recorded")
    root = case.folder / "disk"
    root.mkdir()
    case.store, case.out = root / "store", root / SINK
    env = faulty(torture, case, root)
    env["TW_FAULT_LOG"] = str(case.folder / "writes")
    case.complete(env=env)
    ops = read_log(case.folder / "writes")
    case.check(replay=False)
    case.drop()
    return ops


def run(torture, worlds):
    if not torture.preload.exists():
        torture.skip("torn images", f"{torture.preload} was not built (sanitizers do not go with it)")
        return
    world, rng = worlds["tiny"], torture.rng("images")
    ops = record(torture, world)
    per_op = 1 if torture.quick else 6
    wanted = set(rng.sample(range(len(ops)), min(len(ops), 70 if torture.quick else len(ops))))
    disk, points, plans = Disk(), [{}], []
    for i, op in enumerate(ops):
        if i in wanted:
            for _ in range(per_op):
                plans.append((len(points) - 1, disk.torn(rng, op), f"operation {i}, {op.kind} of {op.path}"))
        disk.apply(op)
        if op.confirms:
            points.append(disk.confirmed())
    points.append(disk.confirmed())
    album = Album(torture, world, points)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # the album is not made for two
        for n, (number, image, what) in enumerate(plans):
            done = pool.submit(one, torture, world, album, number, image, what, n % (4 if torture.quick else 2) == 0)
            done.add_done_callback(raise_late(torture, "images"))
