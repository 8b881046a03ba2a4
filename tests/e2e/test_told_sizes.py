"""Sizes: what `ls -l` tells of a damaged cache is right or an error, and a size that was wrong all the same, as somebody
wrote the cache so, is corrected with the repair, through the kernel."""

import contextlib
import errno
import os

from support import trees
from support.case import EndToEnd, allow_seconds
from support.packs import Pack

TEXT = "twenty characters...\n" * 20
OTHER = "quite another text, of another size\n" * 20


class Sizes(EndToEnd):
    FILES = {"text": TEXT, "other": OTHER, "folder/text": TEXT + "x", "link-target": "y" * 300}

    def setUp(self):
        super().setUp()
        self.env |= {"STARTPOINTFS_CACHE": str(self.folder / "cache")}

    def cached(self, repository):
        return self.folder / "cache" / "file" / f"{str(repository.path).lstrip('/')}.git"

    def pack(self, repository):
        (path,) = self.cached(repository).glob("objects/pack/*.pack")
        return Pack(path)

    def repositories_of(self, count):
        found = []
        for number in range(count):
            repository = self.make_repository(f"r{number}")
            repository.commit(self.FILES | {"number": str(number)}, tag="1")
            found.append(repository)
        self.program("fetch", *[f"{one.path}?tag=1" for one in found])
        return found

    def sizes(self, tree):
        """What `ls -l` says, with what says so once more, as the kernel may have kept it."""
        found = {name: os.stat(tree / name).st_size for name in self.FILES}
        self.assertEqual(found, {name: os.lstat(tree / name).st_size for name in self.FILES})
        return found

    RIGHT = {name: len(text) for name, text in FILES.items()}

    @contextlib.contextmanager
    def right_or_eio(self):
        try:
            yield
        except OSError as failure:
            self.assertEqual(errno.EIO, failure.errno)


class FlippedHeaders(Sizes):
    """A bit of an object's header, which is its size; one repository for each bit."""

    def flip_each(self, repositories, name):
        for number, repository in enumerate(repositories):
            pack = self.pack(repository)
            at = pack.offset(repository.id_of(f"1:{name}")) + number // 8
            pack.bytes[at] ^= 1 << number % 8
            pack.path.chmod(0o644)
            with open(pack.path, "r+b") as file:
                file.seek(at)
                file.write(pack.bytes[at:at + 1])

    def check(self, mount, repositories):
        for repository in repositories:
            tree = mount / repository.path.name / "1"
            self.assertEqual(self.RIGHT, self.sizes(tree), tree)
            for name, text in self.FILES.items():
                self.assertEqual(text, (tree / name).read_text(), tree)
            self.assertEqual(self.RIGHT, self.sizes(tree), tree)

    @allow_seconds(120)
    def test_before_the_mount(self):
        repositories = self.repositories_of(16)
        self.flip_each(repositories, "text")
        mount = self.mount(*[one.path for one in repositories])
        self.check(mount, repositories)
        print(f"figures: {len(repositories)} flipped bits of a size before the mount: wrong sizes 0")

    @allow_seconds(120)
    def test_after_sizes_were_told(self):
        repositories = self.repositories_of(16)
        mount = self.mount(*[one.path for one in repositories])
        for repository in repositories:
            self.assertEqual(self.RIGHT, self.sizes(mount / repository.path.name / "1"))
        self.flip_each(repositories, "text")
        self.check(mount, repositories)

    @allow_seconds(120)
    def test_below_a_folder_that_was_not_visited(self):
        repositories = self.repositories_of(16)
        mount = self.mount(*[one.path for one in repositories])
        for repository in repositories:
            os.listdir(mount / repository.path.name / "1")
        self.flip_each(repositories, "folder/text")
        self.check(mount, repositories)

    @allow_seconds(120)
    def test_offline_a_size_is_right_or_an_error(self):
        repositories = self.repositories_of(16)
        self.flip_each(repositories, "text")
        mount = self.mount(*[one.path for one in repositories], options="offline")
        for repository in repositories:
            tree = mount / repository.path.name / "1"
            with self.right_or_eio():
                self.assertEqual(self.RIGHT, self.sizes(tree))
            with self.right_or_eio():
                self.assertEqual(TEXT, (tree / "text").read_text())


class Forged(Sizes):
    """Every checksum is right: no bit did this, somebody who may write in the cache did."""

    def check_heals(self, forge, told):
        (repository,) = self.repositories_of(1)
        expected = repository.clone("1", self.folder / "clone")
        pack = self.pack(repository)
        forge(repository, pack)
        pack.write()
        mount = self.mount(repository.path)
        tree = mount / "r0" / "1"
        self.assertEqual(self.RIGHT | told, self.sizes(tree))
        for name in told:
            # Who begins to read with a wrong size gets no byte.
            with self.right_or_eio():
                self.assertEqual(self.FILES[name], (tree / name).read_text())
        self.assertEqual(self.RIGHT, self.sizes(tree))
        trees.compare(self, tree, expected)
        self.assertIn("sizes of", mount.log())
        self.call("git", "--git-dir", self.cached(repository), "fsck", "--strict", "--full")
        mount.unmount()
        again = self.mount(repository.path, options="offline")
        trees.compare(self, again / "r0" / "1", expected)

    def test_a_size_that_is_too_small(self):
        self.check_heals(lambda repository, pack: pack.set_size(repository.id_of("1:other"), 17), {"other": 17})

    def test_a_size_that_is_too_large(self):
        self.check_heals(lambda repository, pack: pack.set_size(repository.id_of("1:other"), 2000), {"other": 2000})

    def test_two_objects_in_each_others_place(self):
        self.check_heals(lambda repository, pack: pack.swap(repository.id_of("1:text"), repository.id_of("1:other")),
                         {"text": len(OTHER), "other": len(TEXT)})

    def test_offline_it_is_eio_and_never_another_byte(self):
        (repository,) = self.repositories_of(1)
        pack = self.pack(repository)
        pack.swap(repository.id_of("1:text"), repository.id_of("1:other"))
        pack.write()
        mount = self.mount(repository.path, options="offline")
        for name in ("text", "other"):
            self.assert_errno(errno.EIO, (mount / "r0" / "1" / name).read_text)
        self.assertEqual(self.FILES["folder/text"], (mount / "r0" / "1" / "folder/text").read_text())
