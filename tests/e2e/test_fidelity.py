"""The mounted tree is what git checks out: byte for byte, stat for stat."""

import errno
import mmap
import os
import random
import subprocess

from support import trees
from support.case import EndToEnd, allow_seconds
from support.processes import eventually
from support.repositories import executable, start_point, submodule, symlink


class Fidelity(EndToEnd):
    def check(self, repository, *versions, **options):
        mount = self.mount(repository.path, **options)
        for number, version in enumerate(versions):
            with self.subTest(version):
                mounted = mount / repository.path.name / version
                clone = repository.clone(version, self.folder / f"clone{len(self.mounts)}.{number}")
                trees.compare(self, mounted, clone)
                trees.check_stat(self, mounted)
        return mount

    def test_a_start_point(self):
        repository = self.make_start_point(tags=["1", "2", "3"])
        repository.annotate("annotated", "2")
        self.check(repository, "1", "2", "3", "annotated", "master", repository.id_of("1"))

    def test_modes_links_and_empty_things(self):
        repository = self.make_repository()
        repository.commit({
            "empty": "", "run": executable("#!/bin/sh\n"), "link": symlink("folder/file"),
            "dangling": symlink("no/where"), "absolute": symlink("/etc/passwd"),
            "folder/file": "text", "folder/deep/er/file": "x", "up": symlink("../../.."),
            "long-link": symlink("x" * 1000), "modules/one": submodule(), "two": submodule(),
            "no-newline": "a", "zeros": b"\0" * 5000, "page": b"p" * 4096, "page+1": b"q" * 4097,
        }, tag="1")
        mount = self.check(repository, "1")
        self.assertEqual([], os.listdir(mount / "python-unittest/1/two"))

    def test_names_of_any_bytes(self):
        repository = self.make_repository()
        names = [bytes([byte]) for byte in range(1, 256) if byte not in b"./"]
        names += [b"\xff\xfe", "ünïcode".encode(), b"new\nline", b" lead", b"trail ", b"-dash", b"...",
                  b"x" * 255, b"..x", b"\xc3\xa9", "e\u0301".encode(), b"com1", b"a\\b", b"a:b", b"*",
                  b".gitfoo", b".hidden", b"git~2"]
        repository.commit({**{name: name for name in names},
                           **{name + b"/inner": b"below " + name for name in (b"\xfe\xff", b"a b")}},
                          tag="1")
        self.check(repository, "1")

    def test_gitattributes(self):
        repository = self.make_repository()
        text = b"one\ntwo\nthree\n"
        repository.commit({
            ".gitattributes": "*.crlf text eol=crlf\n*.lf text eol=lf\n*.id ident\n*.bin binary\n"
                              "sub/*.txt eol=crlf\n*.both text eol=crlf ident\n[attr]dos text eol=crlf\n"
                              "*.dos dos\n",
            "a.crlf": text, "a.lf": text, "a.id": "$Id$\n$Id: old $\nno id\n", "a.bin": b"\0\n",
            "a.txt": text, "sub/a.txt": text, "sub/b.crlf": text, "a.both": "$Id$\nx\n",
            "mixed.crlf": b"one\r\ntwo\n", "empty.crlf": "", "a.dos": text,
            "run.crlf": executable("#!/bin/sh\n"), "link.crlf": symlink("a\nb"),
            "deep/.gitattributes": "*.crlf -text\n*.id -ident\n*.more text eol=crlf\n",
            "deep/a.crlf": text, "deep/a.id": "$Id$\n", "deep/er/a.more": text,
            "deep/er/.gitattributes": "a.more eol=lf\n", "deep/b.more": text,
            "bare-cr.crlf": b"one\rtwo\n",
        }, tag="1")
        repository.commit({".gitattributes": "* text=auto\n", "a.crlf": text,
                           "auto": b"one\r\ntwo\r\n"}, tag="2")
        self.check(repository, "1", "2")

    def test_gitattributes_that_name_filters_run_nothing(self):
        repository = self.make_repository()
        repository.commit({".gitattributes": "* filter=lfs diff=lfs merge=lfs -text\n*.x working-tree-encoding=UTF-16\n",
                           "big": "version https://git-lfs.github.com/spec/v1\n"}, tag="1")
        marker = self.folder / "ran"
        self.git_configure("filter.lfs.smudge", f"touch {marker}; cat")
        mount = self.mount(repository.path)
        self.assertEqual("version https://git-lfs.github.com/spec/v1\n",
                         (mount / "python-unittest/1/big").read_text())
        self.assertFalse(marker.exists())

    @allow_seconds(180)
    def test_a_file_above_100_mib(self):
        block = random.Random(1).randbytes(1 << 12) * 256  # quick to deflate
        content = block * 101 + b"end"
        repository = self.make_repository()
        repository.commit({"big": content, "small": "x"}, tag="1")
        mount = self.check(repository, "1")
        with open(mount / "python-unittest/1/big", "rb") as file:
            file.seek((101 << 20) - 2)
            self.assertEqual(content[-5:], file.read())
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self.assertEqual(block[7:107], mapped[(50 << 20) + 7:(50 << 20) + 107])

    test_a_file_above_100_mib.with_sanitizers = False  # its bytes are the same with them

    def test_a_file_above_max_file_is_efbig(self):
        repository = self.make_repository()
        repository.commit({"big": b"x" * 5000, "fits": b"x" * 1000}, tag="1")
        mount = self.mount(repository.path, options="max_file=4096") / "python-unittest/1"
        self.assertEqual(b"x" * 1000, (mount / "fits").read_bytes())
        self.assert_errno(errno.EFBIG, (mount / "big").read_bytes)
        self.assertEqual({"big", "fits"}, set(os.listdir(mount)))

    def test_a_folder_with_many_entries(self):
        repository = self.make_repository()
        repository.commit({f"many/{'x' * (number % 200)}{number}": str(number)
                           for number in range(2000)}, tag="1")
        self.check(repository, "1")

    def test_deep_folders(self):
        repository = self.make_repository()
        repository.commit({"/".join(["d"] * 500) + "/file": "deep"}, tag="1")
        self.check(repository, "1")

    def test_the_time_is_the_commits(self):
        repository = self.make_start_point(tags=["1"])
        expected = int(repository.git("show", "-s", "--format=%ct", "1").strip())
        mount = self.mount(repository.path) / "python-unittest/1"
        os.listdir(mount)
        self.assertEqual(expected, int(os.stat(mount / "manifest.json").st_mtime))
        # The version's own folder stood there before it was fetched.
        eventually(lambda: int(os.stat(mount).st_mtime) == expected, 5, "the commit's time")

    def test_seekdir_and_two_readers_of_one_folder(self):
        repository = self.make_repository()
        repository.commit({f"file{number}": "" for number in range(1000)}, tag="1")
        folder = self.mount(repository.path) / "python-unittest/1"
        with os.scandir(folder) as one, os.scandir(folder) as two:
            pairs = list(zip(one, two))
        self.assertEqual(1000, len(pairs))
        self.assertEqual([a.name for a, _ in pairs], [b.name for _, b in pairs])

    def test_uid_and_gid(self):
        repository = self.make_start_point()
        mount = self.mount(repository.path, options="uid=1234,gid=2345")
        for path in ("python-unittest", "python-unittest/master/manifest.json"):
            found = os.stat(mount / path)
            self.assertEqual((1234, 2345), (found.st_uid, found.st_gid))


class Tools(EndToEnd):
    """The programs that people use on files."""

    def setUp(self):
        super().setUp()
        repository = self.make_repository()
        repository.commit({**start_point(), "folder/a": "needle\n", "folder/b": b"x" * 100_000,
                           "link": symlink("folder/a"), "empty": "",
                           "script": executable('#!/bin/sh\necho "ran in $(dirname "$0")"\n')}, tag="1")
        self.clone = repository.clone("1", self.folder / "clone")
        self.tree = self.mount(repository.path) / "python-unittest/1"

    def test_find_du_and_grep(self):
        for command in (["find", ".", "-printf", "%p %y %s %l\\n"], ["du", "-ab", "--apparent-size"],
                        ["grep", "-rn", "needle", "."], ["grep", "-rc", "", "."]):
            with self.subTest(command):
                here, there = (sorted(self.call(*command, cwd=place).stdout.splitlines())
                               for place in (self.tree, self.clone))
                if command[0] in ("du", "find"):
                    # A folder's own size is the file system's affair.
                    here, there = ([line for line in lines if "/" in line and "folder" not in
                                    line.split("/")[-1].split()[0]] for lines in (here, there))
                self.assertEqual(there, here)
        self.assertGreaterEqual(int(self.call("du", "-s", self.tree).stdout.split()[0]), 98)

    def test_cp_rsync_and_tar(self):
        copies = self.folder / "copies"
        copies.mkdir()
        self.call("cp", "-a", self.tree, copies / "cp")
        self.call("rsync", "-a", f"{self.tree}/", copies / "rsync")
        self.call("sh", "-c", f"mkdir {copies}/tar && tar -C {self.tree} -cf - . | tar -C {copies}/tar -xf -")
        for name in ("cp", "rsync", "tar"):
            trees.compare(self, copies / name, self.clone)
            self.call("chmod", "-R", "u+w", copies / name)
        self.assertEqual("", self.call("rsync", "-anc", "--no-perms", "--omit-dir-times", "--out-format=%n",
                                       f"{self.tree}/", copies / "rsync").stdout)

    def test_programs_run_from_the_mount(self):
        self.assertEqual(f"ran in {self.tree}\n", self.call(self.tree / "script").stdout)
        self.assertEqual("54\n", self.call("./cyber-dojo.sh", cwd=self.tree).stdout)
        self.assertEqual("54\n", self.call("python3", "-c", "import hiker; print(hiker.answer())",
                                           cwd=self.tree).stdout)

    def test_the_permissions_are_kept_to(self):
        self.assertTrue(os.access(self.tree / "script", os.X_OK))
        with self.assertRaises(PermissionError):
            subprocess.run([self.tree / "manifest.json"], check=False)

    def test_every_write_is_erofs(self):
        file, folder, link = self.tree / "manifest.json", self.tree / "folder", self.tree / "link"
        new = self.tree / "new"
        opened = lambda path, flags: os.close(os.open(path, flags, 0o644))  # noqa: E731
        operations = {
            "open for writing": lambda: opened(file, os.O_WRONLY),
            "open for both": lambda: opened(file, os.O_RDWR),
            "truncating open": lambda: opened(file, os.O_WRONLY | os.O_TRUNC),
            "create": lambda: opened(new, os.O_WRONLY | os.O_CREAT),
            "truncate": lambda: os.truncate(file, 0), "mkdir": lambda: os.mkdir(new),
            "rmdir": lambda: os.rmdir(folder), "unlink": lambda: os.unlink(file),
            "rename": lambda: os.rename(file, new), "symlink": lambda: os.symlink("x", new),
            "link": lambda: os.link(file, new), "chmod": lambda: os.chmod(file, 0o777),
            "chown": lambda: os.chown(file, 1, 1), "utime": lambda: os.utime(file),
            "mkfifo": lambda: os.mkfifo(new), "unlink a link": lambda: os.unlink(link),
            "setxattr": lambda: os.setxattr(file, "user.x", b"y"),
        }
        places = {"version": self.tree, "repository": self.tree.parent, "root": self.tree.parent.parent,
                  "control": self.tree.parent.parent / ".startpointfs"}
        for name, place in places.items():
            operations[f"create in {name}"] = (
                lambda place=place: opened(place / "new", os.O_WRONLY | os.O_CREAT))
            operations[f"mkdir in {name}"] = lambda place=place: os.mkdir(place / "new")
        for name, operation in operations.items():
            with self.subTest(name):
                self.assert_errno(errno.EROFS, operation)

    def test_statfs(self):
        found = os.statvfs(self.tree)
        self.assertTrue(found.f_flag & os.ST_RDONLY)
        self.assertEqual(255, found.f_namemax)
        cache = os.statvfs(self.mounts[0].cache)
        self.assertEqual((cache.f_blocks, cache.f_frsize), (found.f_blocks, found.f_frsize))
        status = self.mounts[0].status()
        self.assertEqual(status["max_nodes"], found.f_files)
        self.assertEqual(status["max_nodes"] - status["nodes"], found.f_ffree)
        self.call("df", self.tree)


class Property(EndToEnd):
    """Random repositories: whatever is in them, the mount shows what git checks out. E2E_SEED
    repeats a run; a failure says which."""

    deadline = 120

    def random_name(self, chance):
        kind = chance.random()
        if kind < 0.6:
            return "".join(chance.choices("abcXYZ019._-", k=chance.randint(1, 12))).encode()
        if kind < 0.8:
            return "".join(chance.choices("äßλ漢 é\t'\"$*?[", k=chance.randint(1, 8))).encode()
        return bytes(chance.choices([byte for byte in range(1, 256) if byte != 0x2F],
                                    k=chance.randint(1, 20)))

    def random_content(self, chance):
        kind = chance.random()
        if kind < 0.15:
            return symlink(self.random_name(chance) * chance.choice([1, 1, 1, 10]))
        if kind < 0.2:
            return submodule("%040x" % chance.getrandbits(160))
        if kind < 0.3:
            content = b""
        elif kind < 0.6:
            content = b"\n".join(self.random_name(chance) for _ in range(chance.randint(1, 50)))
        elif kind < 0.9:
            content = b"$Id$\nline\r\n" * chance.randint(1, 30) + chance.choice([b"", b"\0", b"end"])
        else:
            content = chance.randbytes(chance.choice([4095, 4096, 4097, 131072, 300_000]))
        return executable(content) if chance.random() < 0.3 else content

    def random_files(self, chance):
        folders, files, names = [b""], {}, {b""}
        for _ in range(chance.randint(1, 60)):
            folder = chance.choice(folders)
            name = self.random_name(chance)
            path = folder + b"/" + name if folder else name
            if path in names or name in (b".", b"..") or name.lower() == b".git" or b"git~" in name.lower():
                continue
            names.add(path)
            if chance.random() < 0.25:
                folders.append(path)
            else:
                files[path] = self.random_content(chance)
        if chance.random() < 0.5:
            rules = [f"*{chance.choice(['', 'a', '1', '.'])} {rule}" for rule in
                     chance.choices(["text eol=crlf", "ident", "-text", "binary", "text=auto eol=crlf",
                                     "eol=lf", "text eol=crlf ident"], k=chance.randint(1, 4))]
            files[b".gitattributes"] = "\n".join(rules).encode() + b"\n"
        return files or {b"x": b"y"}

    def test_random_repositories(self):
        seed = int(os.environ.get("E2E_SEED") or random.SystemRandom().getrandbits(32))
        print(f"E2E_SEED={seed}")
        rounds = 3 if os.environ.get("E2E_BUILD", "").endswith("san") else 8
        for number in range(rounds):
            chance = random.Random(seed + number)
            repository = self.make_repository(f"random{number}")
            tags = []
            for version in range(chance.randint(1, 3)):
                tags.append(chance.choice(["{}", "v{}", "deep/{}", "ä{}"]).format(version))
                repository.commit(self.random_files(chance), message=f"version {version}")
                (repository.annotate if chance.random() < 0.5 else repository.tag)(tags[-1])
            mount = self.mount(repository.path)
            for tag in tags:
                with self.subTest(E2E_SEED=seed, number=number, tag=tag):
                    mounted = mount / repository.path.name / tag
                    clone = repository.clone(tag, self.folder / f"clone{number}" / tag)
                    trees.compare(self, mounted, clone)
                    trees.check_stat(self, mounted)
            mount.unmount()
