"""Makes git repositories with anything in them that git allows, quickly: through git fast-import."""

import dataclasses
import os
import pathlib
import shutil

from .processes import run


@dataclasses.dataclass(frozen=True)
class Entry:
    mode: str
    content: bytes


def executable(content):
    return Entry("100755", os.fsencode(content))


def symlink(target):
    return Entry("120000", os.fsencode(target))


def submodule(commit="1234567890123456789012345678901234567890"):
    return Entry("160000", commit.encode())


def plain(content):
    return content if isinstance(content, Entry) else Entry("100644", os.fsencode(content))


def _quoted(path):
    """A path as fast-import reads it, whatever bytes are in it."""
    return b'"' + b"".join(
        b"\\%03o" % byte if byte < 33 or byte > 126 or byte in b'"\\' else bytes([byte])
        for byte in os.fsencode(path)) + b'"'


def _data(content):
    return b"data %d\n" % len(content) + content + b"\n"


class Repository:
    """A bare repository. Commits hold exactly the files given; they come one after the other on
    their branch, a minute apart, from the same fixed time on."""

    def __init__(self, path, env, branch="master"):
        self.path = pathlib.Path(path)
        self.env = env
        self.branch = branch
        self.clock = 1_700_000_000
        self._init()

    def _init(self):
        """As `git init --bare` does; tests make thousands, and a process costs more than all of this."""
        for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        (self.path / "HEAD").write_text(f"ref: refs/heads/{self.branch}\n")
        (self.path / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n")

    def git(self, *arguments, env=None, **options):
        return run(["git", "--git-dir", self.path, *arguments], env={**self.env, **(env or {})}, **options).stdout

    @property
    def file_url(self):
        return f"file://{self.path}"

    def _import(self, stream):
        """Returns what the stream asks to be told. What was packed once, and quickly, is served as it is."""
        return self.git("-c", "fastimport.unpackLimit=1", "-c", "core.compression=1",
                        "fast-import", "--quiet", "--force", "--date-format=raw", input=stream, text=False)

    def _identity(self):
        self.clock += 60
        return b"Somebody <somebody@example.org> %d +0100\n" % self.clock

    def _has(self, ref):
        """Without a process, as each commit asks."""
        packed = self.path / "packed-refs"
        return (self.path / os.fsdecode(ref)).exists() or (
            packed.exists() and b" " + ref + b"\n" in packed.read_bytes())

    def _commit(self, ref, files, message, *, after, tag=None):
        """What fast-import reads of a commit; with `after`, it comes after the one that the branch has in the repository."""
        stream = [b"commit ", ref, b"\nmark :1\ncommitter ", self._identity(), _data(os.fsencode(message))]
        if after:
            stream += [b"from ", ref, b"^0\n"]
        stream.append(b"deleteall\n")
        for path, content in files.items():
            entry = plain(content)
            if entry.mode == "160000":
                stream += [b"M 160000 ", entry.content, b" ", _quoted(path), b"\n"]
            else:
                stream += [b"M ", entry.mode.encode(), b" inline ", _quoted(path), b"\n",
                           _data(entry.content)]
        if tag is not None:
            stream += [b"reset refs/tags/", os.fsencode(tag), b"\nfrom :1\n\n"]
        return stream

    def commit(self, files, branch=None, message="A commit", tag=None):
        """Returns the commit's id. With tag, a light tag names it."""
        ref = b"refs/heads/" + os.fsencode(branch or self.branch)
        stream = self._commit(ref, files, message, after=self._has(ref), tag=tag)
        return self._import(b"".join([*stream, b"get-mark :1\n"])).decode().strip()

    def commit_many(self, versions, message=""):
        """A commit after the other for {tag: files}, in one go; of each the message is `message` and the tag."""
        ref = b"refs/heads/" + os.fsencode(self.branch)
        stream = []
        after = self._has(ref)
        for tag, files in versions.items():
            # Within one stream fast-import goes on from the branch by itself.
            stream += self._commit(ref, files, message + tag, after=after, tag=tag)
            after = False
        self._import(b"".join(stream))

    def id_of(self, revision):
        return self.git("rev-parse", "--verify", "--end-of-options", revision).strip()

    def tag(self, name, target="HEAD"):
        self.git("update-ref", f"refs/tags/{name}", self.id_of(target))

    def annotate(self, name, target="HEAD"):
        """An annotated tag, of a commit or of another tag."""
        kind = self.git("cat-file", "-t", self.id_of(target)).strip()
        text = (f"object {self.id_of(target)}\ntype {kind}\ntag {name}\n".encode()
                + b"tagger " + self._identity() + b"\nA tag\n")
        made = self.git("mktag", input=text, text=False).decode().strip()
        self.git("update-ref", f"refs/tags/{name}", made)

    def tag_many(self, names, target="HEAD"):
        commit = self.id_of(target)
        self.git("update-ref", "--stdin",
                 input="".join(f"create refs/tags/{name} {commit}\n" for name in names))

    def delete_tag(self, name):
        self.git("update-ref", "-d", f"refs/tags/{name}")

    def hide(self, *tags):
        """As if they were still to come: show() is what makes them, without a process."""
        for tag in tags:
            (self.path / "refs/tags" / tag).rename(self.path / f"hidden-{tag}")

    def show(self, tag):
        (self.path / f"hidden-{tag}").rename(self.path / "refs/tags" / tag)

    def check_out(self, version, destination):
        """The same tree as clone(), by one process: where it is not git's transports that ours are compared with."""
        destination = pathlib.Path(destination)
        destination.mkdir()
        self.git("--work-tree", destination, "checkout", "-q", "--force", version, "--", ".",
                 env={"GIT_INDEX_FILE": f"{destination}.index"})
        return destination

    def clone(self, version, destination):
        """What git checks out: of a tag or branch by --depth 1 --branch, of a commit's id by
        cloning everything. Without .git."""
        destination = pathlib.Path(destination)
        if self.git("for-each-ref", f"refs/tags/{version}", f"refs/heads/{version}"):
            run(["git", "clone", "-q", "--depth", "1", "--branch", version, self.file_url,
                 destination], env=self.env)
        else:
            run(["git", "clone", "-q", "--no-checkout", self.file_url, destination], env=self.env)
            run(["git", "-C", destination, "checkout", "-q", version], env=self.env)
        shutil.rmtree(destination / ".git")
        return destination


def start_point(version="3.7.4-19", **further):
    """The files of a small start-point."""
    return {
        "manifest.json": '{\n  "display_name": "Python, unittest",\n'
                         f'  "image_name": "cyberdojofoundation/python_unittest:{version}",\n'
                         '  "visible_filenames": [ "hiker.py", "cyber-dojo.sh" ],\n'
                         '  "filename_extension": ".py"\n}\n',
        "hiker.py": "def answer():\n    return 6 * 9\n",
        "cyber-dojo.sh": executable("#!/bin/sh\npython3 -c 'import hiker; print(hiker.answer())'\n"),
        **further,
    }
