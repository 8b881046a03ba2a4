"""Damage in the cache, seen through real mounts: never a wrong byte, never a hang, never a dead mount; and
with the remote up all of it is as it was afterwards. (The campaign of every byte is tests/unit/test_damage.c.)"""

import concurrent.futures
import errno
import os
import resource
import shutil

from support import trees
from support.case import EndToEnd, allow_seconds
from support.processes import PROGRAM
from support.repositories import start_point

# How many versions are read in how many repositories, and with how many descriptors.
VERSIONS = int(os.environ.get("E2E_VERSIONS", "300"))
REPOSITORIES = int(os.environ.get("E2E_REPOSITORIES", "10"))
DESCRIPTORS = int(os.environ.get("E2E_DESCRIPTORS", "128"))


def flip(path, at, bit=0):
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def fifo(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    os.mkfifo(path)


class Damaged(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_repository()
        self.repository.commit(start_point("1", **{"text.txt": "a\n" * 300}), tag="1")
        self.repository.commit(start_point("2", **{"text.txt": "b\n" * 300}), tag="2")
        self.other = self.make_start_point("other", tags=["9"])
        self.expected = self.repository.clone("1", self.folder / "clone")
        mount = self.mount(self.repository.path, self.other.path)
        trees.compare(self, mount / "python-unittest/1", self.expected)
        os.listdir(mount / "other/9")
        mount.unmount()
        self.sound = self.folder / "sound"
        shutil.copytree(mount.cache, self.sound)
        self.cache = mount.cache

    def damage(self, how):
        """A cache with one fault; the repository's folder in it."""
        shutil.rmtree(self.cache)
        shutil.copytree(self.sound, self.cache)
        folder = self.cache / "file" / f"{str(self.repository.path).lstrip('/')}.git"
        how(folder)
        return folder

    def check_up(self, how):
        folder = self.damage(how)
        mount = self.mount(self.repository.path, self.other.path)
        trees.compare(self, mount / "python-unittest/1", self.expected)
        self.assertIn("manifest.json", os.listdir(mount / "other/9"))
        mount.unmount()
        self.program("fetch", f"{self.repository.path}?tag=1", env=self.env | {"STARTPOINTFS_CACHE": str(self.cache)})
        return folder, mount.log()

    def check_offline(self, how):
        """Right, or EIO with a sentence; the other repository as ever."""
        self.damage(how)
        mount = self.mount(self.repository.path, self.other.path, options="offline")
        self.assertIn("manifest.json", os.listdir(mount / "other/9"))
        refused = False
        try:
            trees.compare(self, mount / "python-unittest/1", self.expected)
        except OSError as failure:
            refused = True
            self.assertEqual(errno.EIO, failure.errno)
            self.assertRegex(mount.log(), "damaged|not there|missing")
        mount.unmount()
        return refused

    PACK = "objects/pack/*.pack"
    INDEX = "objects/pack/*.idx"

    def ways(self):
        def each(pattern, act, *arguments):
            return lambda folder: [act(path, *arguments) for path in sorted(folder.glob(pattern))]

        def huge(name):
            def act(folder):
                with open(folder / name, "ab") as file:
                    file.truncate(4 << 40)
            return act

        return {
            "an offset of the index": each(self.INDEX, flip, -60, 3),
            "the index's fan-out": each(self.INDEX, flip, 40, 0),
            "the index's highest bits of an offset": each(self.INDEX, flip, -64, 6),
            "a pack's beginning": each(self.PACK, flip, 13),
            "a pack's end": each(self.PACK, flip, -1),
            "a pack without an index": each(self.INDEX, os.unlink),
            "an index without a pack": each(self.PACK, os.unlink),
            "a digit of a tag": each("refs/tags/1", flip, 5),
            "an empty tag": each("refs/tags/1", lambda path: path.write_bytes(b"")),
            "no tag": each("refs/tags/1", os.unlink),
            "no refs": each("refs", shutil.rmtree),
            "no objects": each("objects", shutil.rmtree),
            "no HEAD": each("HEAD", os.unlink),
            "a damaged config": each("config", flip, 10),
            "a digit of the listing": each("startpointfs-listing", flip, 60),
            "a digit of the record": each("startpointfs-pins", flip, 30),
            "a FIFO for an index": each(self.INDEX, fifo),
            "a FIFO for a pack": each(self.PACK, fifo),
            "a FIFO for a tag": each("refs/tags/1", fifo),
            "a FIFO for HEAD": each("HEAD", fifo),
            "a FIFO for the config": each("config", fifo),
            "a FIFO for the listing": each("startpointfs-listing", fifo),
            "a FIFO for the lock": each("startpointfs-lock", fifo),
            "a FIFO for packed refs": lambda folder: os.mkfifo(folder / "packed-refs"),
            "a FIFO for shallow": lambda folder: os.mkfifo(folder / "shallow") if not (
                folder / "shallow").exists() else fifo(folder / "shallow"),
            "a FIFO for objects": each("objects", fifo),
            "packed refs of 4 TiB": huge("packed-refs"),
            "a record of 4 TiB": huge("startpointfs-pins"),
            "a listing of 4 TiB": huge("startpointfs-listing"),
            "a HEAD of 4 TiB": huge("HEAD"),
        }

    @allow_seconds(240)
    def test_all_heals_by_itself_with_the_remote_up(self):
        for name, how in self.ways().items():
            with self.subTest(name):
                folder, log = self.check_up(how)
                self.assertNotIn("worker died", log)
                self.call("git", "--git-dir", folder, "fsck", "--strict")
                self.call("git", "--git-dir", folder, "log", "--format=%H", "refs/tags/1")
        print(f"figures: {len(self.ways())} faults of a cache, remote up: wrong 0, hang 0, crash 0, not healed 0")

    @allow_seconds(240)
    def test_offline_it_is_right_or_eio_with_a_sentence(self):
        refused = sum(self.check_offline(how) for how in self.ways().values())
        print(f"figures: {len(self.ways())} faults of a cache, offline: EIO with a sentence {refused}, the rest right")

    def test_gc_ends_too(self):
        for name in ("a FIFO for an index", "a FIFO for a tag", "a FIFO for HEAD", "a FIFO for the lock",
                     "a FIFO for objects"):
            with self.subTest(name):
                self.damage(self.ways()[name])
                self.program("gc", "--cache", str(self.cache), check=False, timeout=60)

    def test_damage_is_said_once_and_mended_once(self):
        self.damage(self.ways()["a pack's beginning"])
        mount = self.mount(self.repository.path, options="refs_ttl=1000")
        trees.compare(self, mount / "python-unittest/1", self.expected)
        fetches = mount.fetches()
        trees.compare(self, mount / "python-unittest/1", self.expected)
        self.assertEqual(fetches, mount.fetches())
        self.assertIn("damaged", mount.log())
        mount.unmount()
        again = self.mount(self.repository.path, options="offline")
        trees.compare(self, again / "python-unittest/1", self.expected)


class Descriptors(EndToEnd):
    @allow_seconds(120)
    def test_many_versions_need_few_descriptors(self):
        tags = [str(number) for number in range(60)]
        repository = self.make_start_point(tags=tags)
        mount = self.mount(repository.path)
        for tag in tags:
            os.listdir(mount / f"python-unittest/{tag}")
        mount.unmount()
        self.assertEqual(len(tags), len(list(mount.cache.rglob("objects/pack/*.pack"))))
        mount = self.mount(repository.path)
        for tag in tags:
            os.listdir(mount / f"python-unittest/{tag}")
        most = max(len(os.listdir(f"/proc/{pid}/fd")) for pid in mount.processes())
        print(f"figures: {len(tags)} versions, each in a pack of its own: {most} descriptors at most in a process")
        self.assertLess(most, 40)

    test_many_versions_need_few_descriptors.with_sanitizers = False  # what it counts is the same with them

    @allow_seconds(240 if VERSIONS <= 600 else 7200)
    def test_thousands_of_versions_under_a_limit_of_descriptors(self):
        """Each is fetched by itself and comes in a pack of its own; then gc makes few packs of them, while they are read."""
        tags = [str(number) for number in range(VERSIONS // REPOSITORIES)]
        names = [f"point{number}" for number in range(REPOSITORIES)]
        for name in names:
            self.make_repository(name).commit_many({tag: start_point(tag, **{"own.txt": f"{name} {tag}"}) for tag in tags})
        mount = self.mount(*(self.repositories / name for name in names), options="refs_ttl=1000")
        for pid in mount.processes():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        wanted = [(name, tag) for tag in tags for name in names]

        def read(version):
            name, tag = version
            with open(mount / name / tag / "own.txt", encoding="utf-8") as file:
                return file.read() == f"{name} {tag}"

        with concurrent.futures.ThreadPoolExecutor(8) as readers:
            self.assertTrue(all(readers.map(read, wanted)))
            packs = len(list(mount.cache.rglob("objects/pack/*.pack")))
            again = readers.map(self.read_around_the_cache, [mount / name / tag / "hiker.py" for name, tag in wanted])
            self.call("prlimit", f"--nofile={DESCRIPTORS}", PROGRAM, "gc", "--cache", mount.cache, timeout=600)
            self.assertEqual({b"def answer():\n    return 6 * 9\n"}, set(again))
        left = len(list(mount.cache.rglob("objects/pack/*.pack")))
        self.assertLess(left, 3 * REPOSITORIES)
        most = max(len(os.listdir(f"/proc/{pid}/fd")) for pid in mount.processes())
        self.assertNotIn("worker died", mount.log())
        mount.unmount()
        for folder in mount.cache.rglob("objects"):
            self.call("git", "--git-dir", folder.parent, "fsck", "--strict", "--no-dangling", timeout=600)
            self.call("git", "--git-dir", folder.parent, "rev-parse", *(f"refs/tags/{tag}^{{tree}}" for tag in tags))
        mount = self.mount(*(self.repositories / name for name in names), options="offline")
        self.assertTrue(all(map(read, wanted[::7])))
        print(f"figures: {VERSIONS} versions in {REPOSITORIES} repositories under a limit of {DESCRIPTORS} descriptors: "
              f"all right, {packs} packs, {left} after gc, {most} descriptors at most")

    test_thousands_of_versions_under_a_limit_of_descriptors.with_sanitizers = False  # what it counts is the same with them

    @staticmethod
    def read_around_the_cache(path):
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
        try:
            return os.read(file, 1 << 16)
        finally:
            os.close(file)
