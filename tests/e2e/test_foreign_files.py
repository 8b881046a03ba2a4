"""Files in the cache that somebody else put there: whatever git would make of them, the mount shows what the remote has,
offline what was fetched, or an error; no command is run for them. Each way has a repository of its own, all one mount."""

import errno
import hashlib
import os
import shutil
import zlib

from support import trees
from support.case import EndToEnd, allow_seconds
from support.packs import Pack
from support.repositories import Repository, start_point
from test_campaign_cache import fifo


class Foreign(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_repository("template")
        for tag in "12":
            self.repository.commit(start_point(tag, **{"text.txt": f"{tag}\n" * 300}), tag=tag)
        self.expected = {tag: self.repository.clone(tag, self.folder / f"clone-{tag}") for tag in "12"}
        self.make_stranger()
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.of = {f"r{number}": way for number, way in enumerate(self.ways())}
        for name in self.of:
            shutil.copytree(self.repository.path, self.repositories / name)
        for tag in "12":  # in a pack each
            self.program("fetch", *[f"{self.repositories / name}?tag={tag}" for name in self.of], timeout=120)
        for name, way in self.of.items():
            self.ways()[way](self.folder / "cache" / "file" / f"{str(self.repositories / name).lstrip('/')}.git")

    def make_stranger(self):
        """Another repository's files, all sound."""
        self.stranger = Repository(self.folder / "stranger", self.env)
        for number in range(3):
            self.stranger.commit({"text": f"{number}\n" * 500, "name": str(number)}, tag=f"s{number}")
        self.stranger.git("repack", "-adfq", "--write-bitmap-index")
        self.stranger.git("multi-pack-index", "write")
        self.stranger.git("commit-graph", "write", "--reachable")
        self.strangers_pack = next(self.stranger.path.glob("objects/pack/*.pack"))

    def packs(self, folder):
        return sorted(folder.glob("objects/pack/*.pack"))

    def put(self, source, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(source, target)

    # ---- what is put there ----

    def second_pack(self, folder):
        """The same objects once more, two of them in each other's place, which git would find first."""
        for number, path in enumerate(self.packs(folder)):
            copy = path.with_name(f"pack-{number:040x}.pack")
            self.put(path, copy)
            self.put(path.with_suffix(".idx"), copy.with_suffix(".idx"))
            pack = Pack(copy)
            blobs = [self.repository.id_of(f"{number + 1}:{name}") for name in ("text.txt", "manifest.json")]
            if all(blob in pack.ids for blob in blobs):
                pack.swap(*blobs)
                pack.write()

    def another_pack_s_index(self, folder):
        for path in self.packs(folder):
            self.put(self.strangers_pack.with_suffix(".idx"), path.with_suffix(".idx"))

    def another_pack(self, folder):
        for path in self.packs(folder):
            self.put(self.strangers_pack, path)

    def derived(self, folder):
        path = self.packs(folder)[0]
        self.put(self.stranger.path / "objects/pack/multi-pack-index", folder / "objects/pack/multi-pack-index")
        self.put(next(self.stranger.path.glob("objects/pack/*.bitmap")), path.with_suffix(".bitmap"))
        path.with_suffix(".rev").write_bytes(b"RIDX" + bytes(500))
        self.put(self.stranger.path / "objects/info/commit-graph", folder / "objects/info/commit-graph")

    @staticmethod
    def alternates(*lines):
        def put(folder):
            (folder / "objects/info").mkdir(exist_ok=True)
            text = "".join(f"{line}\n".replace("SELF", str(folder / "objects")) for line in lines)
            (folder / "objects/info/alternates").write_text(text)
        return put

    def config(self, text):
        def put(folder):
            fifo_path = self.folder / "pipe"
            if not fifo_path.exists():
                os.mkfifo(fifo_path)
            with open(folder / "config", "a", encoding="utf-8") as file:
                file.write(text.replace("PIPE", str(fifo_path)))
        return put

    def replaced(self, folder):
        one, two = (self.repository.id_of(tag) for tag in "12")
        (folder / "refs/replace").mkdir()
        (folder / "refs/replace" / one).write_text(two + "\n")
        (folder / "info").mkdir(exist_ok=True)
        (folder / "info/grafts").write_text(f"{one} {two}\n")

    def other_ref(self, text):
        def put(folder):
            (folder / "refs/tags/1").write_text(text.replace("TWO", self.repository.id_of("2")))
        return put

    def packed_ref(self, folder):
        (folder / "refs/tags/1").unlink()
        (folder / "packed-refs").write_text(f"{self.repository.id_of('2')} refs/tags/1\n")

    @staticmethod
    def links(name, target):
        def put(folder):
            path = folder / name
            if path.is_dir():
                shutil.copytree(path, folder.parent / f"{folder.name}-aside")
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            path.symlink_to(str(target).replace("ASIDE", str(folder.parent / f"{folder.name}-aside")))
        return put

    def loose(self, change):
        """All objects in files of their own, and something done to that of one."""
        def put(folder):
            for path in self.packs(folder):
                content = path.read_bytes()
                path.unlink()
                path.with_suffix(".idx").unlink()
                self.call("git", "--git-dir", folder, "unpack-objects", "-q", input=content, text=False)
            for name in ("text.txt", ""):
                blob = self.repository.id_of(f"1:{name}" if name else "1^{tree}")
                file = folder / "objects" / blob[:2] / blob[2:]
                file.chmod(0o644)
                change(file)
        return put

    @staticmethod
    def another_object(file):
        text = b"quite another text\n"
        file.write_bytes(zlib.compress(b"blob %d\0" % len(text) + text))

    @staticmethod
    def endless(name):
        def put(folder):
            path = folder / name
            fifo(path) if path.exists() else os.mkfifo(path)
            path.unlink()
            path.touch()
            os.truncate(path, 1 << 42)
        return put

    @staticmethod
    def crowd(folder):
        for number in range(300):
            name = hashlib.sha1(str(number).encode()).hexdigest()
            (folder / f"objects/pack/pack-{name}.idx").write_bytes(os.urandom(1100))
            (folder / f"objects/pack/tmp_pack_{name}").write_bytes(b"PACK")

    def ways(self):
        stranger = self.stranger.path
        return {
            "a second pack with two objects in each other's place": self.second_pack,
            "another pack's index": self.another_pack_s_index,
            "another pack": self.another_pack,
            "multi-pack-index, bitmap, .rev and commit-graph of others": self.derived,
            "an alternate": self.alternates(stranger / "objects"),
            "alternates that lead in a circle": self.alternates("SELF", ".", "../objects", "/dev/zero"),
            "an included FIFO": self.config("[include]\n\tpath = PIPE\n"),
            "an included device": self.config("[include]\n\tpath = /dev/zero\n"),
            "a config of another format": self.config(
                "[core]\n\trepositoryformatversion = 99\n[extensions]\n\tobjectFormat = sha256\n\tnonsense = 1\n"),
            "a config that runs commands": self.config(
                f"[core]\n\tfsmonitor = touch {self.folder}/ran\n\tsshCommand = touch {self.folder}/ran\n"
                f"\thooksPath = {self.folder}\n[url \"{stranger}\"]\n\tinsteadOf = {self.repository.path}\n"),
            "replace refs and grafts": self.replaced,
            "a tag that names another's commit": self.other_ref("TWO\n"),
            "packed tags that name another's commit": self.packed_ref,
            "a tag that names a ref": self.other_ref("ref: refs/tags/2\n"),
            "a tag that names itself": self.other_ref("ref: refs/tags/1\n"),
            "a tag that is a link to another": self.links("refs/tags/1", "2"),
            "a tag that is a link to /dev/zero": self.links("refs/tags/1", "/dev/zero"),
            "a folder of tags elsewhere": self.links("refs/tags", "ASIDE"),
            "a folder of packs elsewhere": self.links("objects/pack", "ASIDE"),
            "objects elsewhere": self.links("objects", stranger / "objects"),
            "loose objects cut": self.loose(lambda file: os.truncate(file, 20)),
            "loose objects empty": self.loose(lambda file: os.truncate(file, 0)),
            "loose objects with another content": self.loose(self.another_object),
            "a shallow file of 4 TiB": self.endless("shallow"),
            "a listing of 4 TiB": self.endless("startpointfs-listing"),
            "a record of 4 TiB": self.endless("startpointfs-pins"),
            "300 indexes that are none": self.crowd,
        }

    def refused(self, mount, name):
        """Whether a reader is refused with EIO; what is read is right."""
        try:
            for tag in "12":
                trees.compare(self, mount / name / tag, self.expected[tag])
        except OSError as failure:
            self.assertEqual(errno.EIO, failure.errno, failure)
            return True
        return False

    @allow_seconds(240)
    def test_all_heals_by_itself_with_the_remote_up(self):
        mount = self.mount(*[self.repositories / name for name in self.of])
        for name, way in self.of.items():
            with self.subTest(way):
                # Who began with a wrong size is refused once.
                self.assertFalse(self.refused(mount, name) and self.refused(mount, name), "not healed")
        self.assertFalse((self.folder / "ran").exists(), "a command was run")
        self.assertEqual(0, mount.status()["restarts"])
        print(f"figures: {len(self.of)} ways with files of others in the cache, remote up")

    @allow_seconds(240)
    def test_offline_it_is_right_or_eio_with_a_sentence(self):
        mount = self.mount(*[self.repositories / name for name in self.of], options="offline")
        refused = 0
        for name, way in self.of.items():
            with self.subTest(way):
                refused += self.refused(mount, name)
        self.assertFalse((self.folder / "ran").exists(), "a command was run")
        self.assertEqual(0, mount.status()["restarts"])
        print(f"figures: {len(self.of)} ways with files of others in the cache, offline: EIO {refused}, the rest right")

    def test_gc_ends_too(self):
        self.program("gc", check=False, timeout=120)
        self.assertFalse((self.folder / "ran").exists(), "a command was run")
