"""Comparing two trees: byte for byte, and stat for stat where git decides it."""

import hashlib
import os
import stat


def walk(root):
    """Yields (path relative to root, os.DirEntry) of everything below, as bytes, sorted; .git at the
    top is left out."""
    folders = [b""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(os.fsencode(root), folder)) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if path == b".git":
                continue
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)


def describe(entry):
    """Everything of a file that git decides."""
    found = os.lstat(entry.path)
    if stat.S_ISLNK(found.st_mode):
        return ("symlink", os.readlink(entry.path), found.st_size)
    if stat.S_ISDIR(found.st_mode):
        return ("folder",)
    with open(entry.path, "rb") as file:
        if found.st_size <= 1 << 16:
            content = file.read()
        else:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    return ("file", content, found.st_size, bool(found.st_mode & 0o100))


def snapshot(root):
    return {path: describe(entry) for path, entry in walk(root)}


def compare(test, mounted, expected):
    """Fails with the paths that differ, and how."""
    left, right = snapshot(mounted), snapshot(expected)
    faults = [f"only in the mount: {path!r}" for path in left.keys() - right.keys()]
    faults += [f"not in the mount: {path!r}" for path in right.keys() - left.keys()]
    for path in left.keys() & right.keys():
        if left[path] != right[path]:
            faults.append(f"{path!r}: {repr(left[path])[:300]} is not {repr(right[path])[:300]}")
    if faults:
        test.fail(f"{mounted} is not {expected}:\n" + "\n".join(sorted(faults)[:20]))


def check_stat(test, mounted):
    """What a read-only mount promises of every file: its mode, its links, and one inode number by
    lookup, getattr and readdir, which nothing else has."""
    seen = {}
    device = os.lstat(mounted).st_dev
    for path, entry in walk(mounted):
        found = os.lstat(entry.path)
        test.assertEqual(entry.inode(), found.st_ino, path)
        test.assertEqual(device, found.st_dev, path)
        test.assertNotIn(found.st_ino, seen, path)
        seen[found.st_ino] = path
        test.assertEqual(1, found.st_nlink, path)
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            test.assertEqual(0o555, mode, path)
        elif stat.S_ISREG(found.st_mode):
            test.assertIn(mode, (0o444, 0o555), path)
            opened = os.open(entry.path, os.O_RDONLY)
            try:
                by_descriptor = os.fstat(opened)
            finally:
                os.close(opened)
            test.assertEqual((found.st_ino, found.st_size, found.st_mode),
                             (by_descriptor.st_ino, by_descriptor.st_size, by_descriptor.st_mode))
        else:
            test.assertEqual(len(os.readlink(entry.path)), found.st_size, path)
