"""Reads a version of a mount over and over, as programs do, around the page cache, so that the mount is asked; counts calls, the
failed ones, and wrong bytes. Says "ready" after its first turn, and ends with SIGTERM:

    reader.py TREE SEED

TREE is a version's folder. What is read first is what is expected from then on.
"""

import collections
import errno
import json
import os
import random
import signal
import sys

tree, seed = sys.argv[1], int(sys.argv[2])
calls, wrong = 0, 0
failed = collections.Counter()
expected = {}
over = False


def end(*_):
    global over
    over = True


def call(what, action, *arguments):
    global calls
    calls += 1
    try:
        return action(*arguments)
    except OSError as error:
        failed[f"{what} {errno.errorcode[error.errno]}"] += 1
        return None


def same(key, value):
    global wrong
    if value is not None and expected.setdefault(key, value) != value:
        wrong += 1


def read(path):
    file = call("open", os.open, path, os.O_RDONLY | os.O_DIRECT)
    if file is None:
        return
    same(("content", path), call("read", os.pread, file, 1 << 20, 0))
    call("close", os.close, file)


def turn(chosen):
    names = call("readdir", lambda: sorted(os.listdir(tree)))
    same("names", names)
    for name in names or ():
        path = os.path.join(tree, name)
        status = call("stat", os.stat, path)
        same(("inode and size", path), status and (status.st_ino, status.st_size))
        if os.path.isfile(path):
            read(path)
    # What is not there, in a folder that can change: asked each second.
    call("access", os.access, os.path.join(os.path.dirname(tree), f".missing{chosen.random()}"), os.F_OK)


signal.signal(signal.SIGTERM, end)
chosen = random.Random(seed)
turn(chosen)
print("ready", flush=True)
while not over:
    turn(chosen)
print(json.dumps({"calls": calls, "failed": failed, "wrong": wrong}))
