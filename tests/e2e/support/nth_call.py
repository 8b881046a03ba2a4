"""Makes one call of the program fail, the n-th of its kind: support/nth_call.c, preloaded."""

import errno
import mmap
import os
import pathlib
import struct

from .processes import preloadable, run

# In the order of nth_call.c, with what such a call fails with.
KINDS = {"memory": errno.ENOMEM, "open": errno.EMFILE, "read": errno.EIO, "write": errno.ENOSPC,
         "rename": errno.EIO, "sync": errno.EIO, "socket": errno.EMFILE, "receive": errno.ECONNRESET,
         "send": errno.EPIPE, "folder": errno.ENOMEM, "truncate": errno.ENOSPC, "status": errno.EIO,
         "map": errno.ENOMEM, "thread": errno.EAGAIN, "lock": errno.ENOLCK}
_HEAD = 4096
_PLACES = 32768
_WORDS = struct.Struct(f"iii{len(KINDS)}ii")


class NthCall:
    """The preloaded library and the memory that it shares with the test."""

    def __init__(self, folder, env, verb):
        library = preloadable("nth_call", folder, env)
        path = pathlib.Path(folder) / f"nth_call.{verb}"
        size = _HEAD + 4 * _PLACES * len(KINDS)
        with open(path, "w+b") as file:
            file.truncate(size)
            self.memory = mmap.mmap(file.fileno(), size)
        self.env = {"LD_PRELOAD": str(library), "NTH_CALL": str(path), "NTH_CALL_VERB": verb}
        self.calm()

    def _write(self, kind, at, errnum):
        self.memory[:_HEAD] = _WORDS.pack(kind, at, errnum, *[0] * len(KINDS), 0).ljust(_HEAD, b"\0")

    def calm(self):
        """Nothing fails; counts from 0 on."""
        self._write(-1, 0, 0)

    def arm(self, kind, at):
        """Of the calls of that kind from now on, the one with that index fails."""
        self._write(list(KINDS).index(kind), at, KINDS[kind])

    def counts(self):
        """How many calls there were of each kind since the last arm or calm."""
        return dict(zip(KINDS, _WORDS.unpack_from(self.memory)[3:]))

    def places(self, kind):
        """Since the last calm: of the calls of that kind, the first from each place in the program (its callers
        and theirs), and how many there were in all."""
        count = self.counts()[kind]
        first = {}
        begin = _HEAD + 4 * _PLACES * list(KINDS).index(kind)
        for at in range(min(count, _PLACES)):
            first.setdefault(self.memory[begin + 4 * at:begin + 4 * at + 4], at)
        return sorted(first.values()), count

    def has_failed(self):
        return _WORDS.unpack_from(self.memory)[-1] > 0

    def callers(self):
        """Of the call that failed, a line each."""
        return self.memory[_WORDS.size:_HEAD].split(b"\0")[0].decode(errors="replace")

    def where(self, callers=None):
        """Their names."""
        shown = []
        for line in (self.callers() if callers is None else callers).splitlines():
            file, _, at = line.rpartition("+")
            if file.endswith("startpointfs"):
                line = " ".join(run(["addr2line", "-f", "-s", "-e", file, at], env=os.environ, check=False).stdout.split())
            shown.append(line)
        return "\n".join(shown)
