"""Programs that read a mount as people's programs do, again and again, and compare all they see
with clones; run as a process each:

    readers.py KIND MOUNTED CLONES STOP SEED PAUSE

MOUNTED and CLONES hold the same versions under the same names. Rests for PAUSE seconds between its readings, ends when the
file STOP is there, and prints the number of system calls that were seen to succeed (for other programs: one for each
file or folder that they report). Any failure, any byte that differs, and any inode number that
changes is an exception."""

import ctypes
import hashlib
import itertools
import mmap
import os
import pathlib
import random
import struct
import subprocess
import sys
import time

DEEP = "deep/a/b/c"  # a folder that each version has


def run(*command, cwd):
    done = subprocess.run([os.fspath(part) for part in command], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{command} in {cwd}: exit status {done.returncode}, "
                             f"{done.stderr.decode(errors='replace')}")
    return done.stdout


def same(what, seen, expected):
    if seen != expected:
        raise AssertionError(f"{what}: {seen!r:.500} is not {expected!r:.500}")


class Reader:
    def __init__(self, mounted, clones, seed):
        self.mounted, self.clones = pathlib.Path(mounted), pathlib.Path(clones)
        self.random = random.Random(seed)
        self.versions = sorted(os.listdir(clones))
        self.inodes = {}
        self.expected = {}
        self.calls = 0

    def pick(self):
        """A version: its tree in the mount, and the clone."""
        name = self.random.choice(self.versions)
        return self.mounted / name, self.clones / name

    def once(self, key, make):
        if key not in self.expected:
            self.expected[key] = make()
        return self.expected[key]

    def same_inode(self, path, inode):
        same(f"inode number of {path}", inode, self.inodes.setdefault(os.fspath(path), inode))

    def files(self, clone):
        return self.once(("files", clone), lambda: sorted(
            path.relative_to(clone) for path in clone.rglob("*") if path.is_file()
            and not path.is_symlink()))


class Find(Reader):
    def read(self):
        tree, clone = self.pick()
        listed = sorted(run("find", ".", "-printf", "%P\\0%y\\0%l\\0%i\\n", cwd=tree).splitlines())
        expected = self.once(clone, lambda: sorted(
            run("find", ".", "-printf", "%P\\0%y\\0%l\\n", cwd=clone).splitlines()))
        same(f"find in {tree}", [line.rpartition(b"\0")[0] for line in listed], expected)
        for line in listed:
            self.same_inode(tree / os.fsdecode(line.split(b"\0")[0]), int(line.rpartition(b"\0")[2]))
        self.calls += len(listed)


class Cat(Reader):
    def read(self):
        tree, clone = self.pick()
        files = self.files(clone)
        same(f"cat in {tree}", hashlib.sha256(run("cat", *files, cwd=tree)).digest(),
             self.once(clone, lambda: hashlib.sha256(run("cat", *files, cwd=clone)).digest()))
        self.calls += 3 * len(files)


class Stat(Reader):
    def read(self):
        tree, clone = self.pick()
        for path in (self.mounted.parent, self.mounted, tree):
            self.same_inode(path, os.lstat(path).st_ino)
        for path in self.once(("paths", clone), lambda: sorted(
                path.relative_to(clone) for path in clone.rglob("*"))):
            seen, expected = os.lstat(tree / path), os.lstat(clone / path)
            same(f"type of {tree / path}", seen.st_mode >> 12, expected.st_mode >> 12)
            if seen.st_mode >> 12 != 4:
                same(f"size of {tree / path}", seen.st_size, expected.st_size)
            self.same_inode(tree / path, seen.st_ino)
            self.calls += 1


class Grep(Reader):
    def read(self):
        tree, clone = self.pick()
        found = sorted(run("grep", "-r", "answer", ".", cwd=tree).splitlines())
        same(f"grep in {tree}", found, self.once(clone, lambda: sorted(
            run("grep", "-r", "answer", ".", cwd=clone).splitlines())))
        self.calls += 3 * len(self.files(clone))


class Tar(Reader):
    COMMAND = ("tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--mode=u=rwX,go=rX",
               "-cf", "-", ".")

    def read(self):
        tree, clone = self.pick()
        same(f"tar of {tree}", hashlib.sha256(run(*self.COMMAND, cwd=tree)).digest(),
             self.once(clone, lambda: hashlib.sha256(run(*self.COMMAND, cwd=clone)).digest()))
        self.calls += 4 * len(self.files(clone))


class Mapped(Reader):
    """Opens and maps files once, and reads them for as long as it lives."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        tree, clone = self.pick()
        self.opened = []
        for path in self.files(clone):
            content = (clone / path).read_bytes()
            file = os.open(tree / path, os.O_RDONLY)
            mapped = mmap.mmap(file, len(content), prot=mmap.PROT_READ) if content else None
            self.opened.append((tree / path, file, mapped, content))

    def read(self):
        path, file, mapped, content = self.random.choice(self.opened)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        if mapped:
            mapped.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            same(f"mapping of {path}", mapped[:], content)
        same(f"open {path}", os.pread(file, len(content) + 1, 0), content)
        self.same_inode(path, os.fstat(file).st_ino)
        self.calls += 5


class Steps(Reader):
    """Reads a file in small steps that the kernel must not have, and a folder a few entries at a
    time, going back to offsets that it was told before."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.offsets = {}

    def read(self):
        tree, clone = self.pick()
        path = self.random.choice(self.files(clone))
        self.read_file(tree / path, (clone / path).read_bytes())
        self.read_folder(tree / "many", sorted(os.listdir(clone / "many")))

    def read_file(self, path, content):
        file = os.open(path, os.O_RDONLY)
        step = max(len(content) // 37, 11)
        for offset in range(0, len(content) + step, step):
            same(f"{path} at {offset}", os.pread(file, step, offset), content[offset:offset + step])
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            self.calls += 2
        os.close(file)

    def entries(self, folder):
        """getdents64 with room for few: (name, offset of the next, inode)."""
        buffer = ctypes.create_string_buffer(400)
        size = self.libc.syscall(217 if os.uname().machine == "x86_64" else 61, folder, buffer,
                                 len(buffer))
        if size < 0:
            raise OSError(ctypes.get_errno(), "getdents64")
        self.calls += 1
        at = 0
        while at < size:
            inode, following, length = struct.unpack_from("QqH", buffer.raw, at)
            name = buffer.raw[at + 19:at + length].split(b"\0")[0]
            yield os.fsdecode(name), following, inode
            at += length

    def read_folder(self, path, expected):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        seen = {}
        while found := list(self.entries(folder)):
            for name, following, inode in found:
                seen[name] = following
                if name not in (".", ".."):
                    self.same_inode(path / name, inode)
        same(f"names in {path}", sorted(set(seen) - {".", ".."}), expected)
        same(f"offsets in {path}", seen, self.offsets.setdefault(path, seen))
        name = self.random.choice(sorted(seen))
        os.lseek(folder, seen[name], os.SEEK_SET)
        after = next(self.entries(folder), (None,))[0]
        in_order = sorted(seen, key=seen.get)
        following = in_order[in_order.index(name) + 1:][:1]
        same(f"what follows {name} in {path}", [after] if after else [], following)
        os.close(folder)


class Shell(Reader):
    """A shell that stands deep inside a version for as long as it lives."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.tree, self.clone = self.pick()
        self.shell = subprocess.Popen(["sh"], cwd=self.tree / DEEP, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def read(self):
        self.shell.stdin.write(b"/bin/pwd; ls; cat ../*.txt ./*.txt; stat -c %i . ..; echo end\n")
        self.shell.stdin.flush()
        lines = b"".join(iter(self.shell.stdout.readline, b"end\n"))
        inodes = lines.splitlines()[-2:]
        expected = (os.fsencode(self.tree / DEEP) + b"\n" + self.once("shell", lambda: run(
            "sh", "-c", "ls; cat ../*.txt ./*.txt", cwd=self.clone / DEEP)))
        same(f"a shell in {self.tree / DEEP}", b"".join(lines.splitlines(True)[:-2]), expected)
        self.same_inode(self.tree / DEEP, int(inodes[0]))
        self.calls += 12


class Cold(Reader):
    """Looks into versions that nobody has seen before: each is fetched, and has its own name in its
    one file. CLONES is a file with their names, of which this reader takes each second or so."""

    def __init__(self, mounted, names, seed):
        self.mounted, self.calls = pathlib.Path(mounted), 0
        share = int(seed) % 2
        self.left = iter(pathlib.Path(names).read_text().split()[share::2])

    def read(self):
        name = next(self.left, None)
        if name is None:
            raise AssertionError("there are no more versions to fetch")
        same(f"{name}", (self.mounted / name / "name.txt").read_text(), f"the answer is {name}\n")
        same(f"{name}", os.listdir(self.mounted / name), ["name.txt"])
        self.calls += 5


KINDS = {kind.__name__.lower(): kind for kind in
         (Find, Cat, Stat, Grep, Tar, Mapped, Steps, Shell, Cold)}


def main(kind, mounted, clones, stop, seed, pause):
    reader = KINDS[kind](mounted, clones, seed)
    for count in itertools.count(1):
        reader.read()
        if os.path.exists(stop):
            break
        time.sleep(float(pause))
    print(f"{count} {reader.calls}")


if __name__ == "__main__":
    main(*sys.argv[1:])
