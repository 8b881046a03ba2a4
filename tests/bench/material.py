"""What is measured with: repositories that look like real ones, the same in each run."""

import os
import random
import subprocess

from support.repositories import executable

WORDS = None


def _words(rng):
    global WORDS
    if not WORDS:
        letters = "etaoinshrdlucmfwypvbgk"
        WORDS = ["".join(rng.choice(letters) for _ in range(rng.randint(2, 11))) for _ in range(4000)]
    return WORDS


def text(rng, size):
    """Lines of words, that zlib packs to some third, as it does sources."""
    chosen = rng.choices(_words(rng), k=size // 7 + 1)
    lines = [" ".join(chosen[n:n + 9]) for n in range(0, len(chosen), 9)]
    return ("\n".join(lines) + "\n").encode()[:size - 1] + b"\n"


def alike(rng, content):
    """A file that differs from another in a few lines: git keeps it as a delta."""
    lines = content.split(b"\n")
    for _ in range(4):
        lines[rng.randrange(len(lines))] = text(rng, 60).strip()
    return b"\n".join(lines)


ATTRIBUTES = b"""* whitespace=!indent,trail,space
*.[ch] whitespace=indent,trail,space diff=cpp
*.sh whitespace=indent,trail,space text eol=lf
*.perl text eol=lf diff=perl
*.pl text eol=lf diff=perl
*.py text eol=lf diff=python
CODE_OF_CONDUCT.md -whitespace
/Documentation/**/*.txt text eol=lf
/command-list.txt text eol=lf
/GIT-VERSION-GEN text eol=lf
/mergetools/* text eol=lf
"""


def tree(files=5000, folders=300, mean=10000):
    """Like git's own tree: 5,000 files in 300 folders, 50 MB, one in three nearly as another, six .gitattributes."""
    rng = random.Random("tree")
    places = [""]
    while len(places) < folders:
        above = rng.choice(places[-40:])
        places.append(f"{above}folder{len(places)}/")
    found = {".gitattributes": ATTRIBUTES}
    for place in places[1:6]:
        found[f"{place}.gitattributes"] = b"*.diff whitespace=off\n*.c -diff\n"
    before = None
    for number in range(files - len(found)):
        size = min(int(rng.lognormvariate(8.2, 1.4)) + 20, 600000) * mean // 10000
        content = alike(rng, before) if before and number % 3 == 0 else text(rng, max(size, 20))
        before = content
        found[f"{rng.choice(places)}file{number}.{rng.choice(['c', 'h', 'sh', 'txt', 'py'])}"] = content
    return found


CONVERTED = b"*.c text eol=crlf\n*.h ident\n*.txt text working-tree-encoding=UTF-16LE-BOM\n"


def converted(files=3000):
    """Every file of it is another one when it is checked out."""
    rng = random.Random("converted")
    found = {".gitattributes": CONVERTED}
    for number in range(files):
        kind = ("c", "h", "txt")[number % 3]
        found[f"d{number % 60}/file{number}.{kind}"] = b"/* $Id$ */\n" + text(rng, 6000)
    return found


def start_point(number):
    """As large as a real one: some ten files, 20 KB."""
    rng = random.Random(f"start-point {number}")
    names = [f"file{n}.py" for n in range(9)]
    visible = ", ".join(f'"{name}"' for name in names)
    manifest = (f'{{\n  "display_name": "Language {number}, tests",\n  "image_name": "cyberdojofoundation/l{number}:1",\n'
                f'  "visible_filenames": [ {visible} ],\n  "filename_extension": ".py"\n}}\n')
    return {"manifest.json": manifest, "cyber-dojo.sh": executable("#!/bin/sh\nexec python3 test.py\n"),
            **{name: text(rng, rng.randint(200, 4000)) for name in names}}


def tags(place, count):
    repository = place.make_repository("tags")
    commit = repository.commit(start_point(0))
    packed = "".join(sorted(f"{commit} refs/tags/v{n}\n" for n in range(count)))
    (repository.path / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + packed)
    return repository


def start_points(place, count, tags=3):
    """Repositories r0, r1, ...; the tag 1 of each is what a list names."""
    made = []
    for number in range(count):
        repository = place.make_repository(f"r{number}")
        files = start_point(number)
        for tag in range(1, tags + 1):
            repository.commit({**files, "version": f"{tag}\n"}, tag=str(tag))
        made.append(repository)
    return made


def write_list(place, lines, name="pp.list"):
    path = place.folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def large(place, size):
    """A repository with one file, half of it random, through git as one would add it."""
    repository = place.make_repository("large")
    work = place.new("work")
    place.call("git", "clone", "-q", repository.path, work)
    rng = random.Random("large")
    words = text(rng, 1 << 20)
    with open(work / "file", "wb") as file:
        for _ in range(0, size, 2 << 20):
            file.write(rng.randbytes(1 << 20))
            file.write(words)
    for command in (["add", "file"], ["commit", "-qm", "large"], ["tag", "1"], ["push", "-q", "origin", "master", "1"]):
        place.call("git", "-C", work, "-c", "core.compression=1", *command, timeout=600)
    repository.git("-c", "core.compression=1", "repack", "-adq", timeout=600)
    os.sync()
    return repository, work / "file"


def many_files(place, files, folders):
    """A version of very many small files; there are a thousand different ones."""
    repository = place.make_repository("many")
    lines = [b"blob\nmark :%d\ndata %d\n%s\n" % (n + 1, len(b"file %d\n" % n), b"file %d\n" % n) for n in range(1000)]
    lines.append(b"commit refs/heads/master\ncommitter A <a@example.org> 1700000000 +0000\ndata 0\n")
    each = files // folders
    for folder in range(folders):
        lines.append(b"".join(b"M 100644 :%d d%d/e%d/f%d\n" % ((folder + n) % 1000 + 1, folder % 250, folder, n)
                              for n in range(each)))
    subprocess.run(["git", "--git-dir", repository.path, "fast-import", "--quiet"], input=b"".join(lines),
                   env=place.env, check=True)
    repository.tag("1", "master")
    return repository
