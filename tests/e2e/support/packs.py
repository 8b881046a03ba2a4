"""Writes packs as nobody should: every checksum is right, and what they say is not."""

import hashlib
import pathlib
import struct
import zlib

TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


class Pack:
    """A pack and its index (version 2, below 2 GiB), to be changed and written back."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.index_path = self.path.with_suffix(".idx")
        self.bytes = bytearray(self.path.read_bytes())
        index = self.index_path.read_bytes()
        count = struct.unpack(">I", index[8 + 255 * 4:8 + 256 * 4])[0]
        ids = 8 + 1024
        crcs = ids + 20 * count
        offsets = crcs + 4 * count
        self.ids = [index[ids + 20 * i:ids + 20 * i + 20].hex() for i in range(count)]
        self.offsets = list(struct.unpack(f">{count}I", index[offsets:offsets + 4 * count]))

    def offset(self, object_id):
        return self.offsets[self.ids.index(object_id)]

    def end(self, offset):
        return min([other for other in self.offsets if other > offset] + [len(self.bytes) - 20])

    def set_size(self, object_id, size):
        """What the object's header says, in as many bytes as it has."""
        at = self.offset(object_id)
        self.bytes[at] = self.bytes[at] & 0xf0 | size & 0xf
        size >>= 4
        while self.bytes[at] & 0x80:
            at += 1
            self.bytes[at] = self.bytes[at] & 0x80 | size & 0x7f
            size >>= 7
        assert size == 0, "the size needs more bytes than are there"

    def swap(self, one, other):
        """Each of two objects stands where the other should."""
        i, j = self.ids.index(one), self.ids.index(other)
        self.offsets[i], self.offsets[j] = self.offsets[j], self.offsets[i]

    def write(self):
        """With checksums that are right."""
        self.bytes[-20:] = hashlib.sha1(self.bytes[:-20]).digest()
        fanout = [sum(int(one[:2], 16) <= byte for one in self.ids) for byte in range(256)]
        crcs = [zlib.crc32(self.bytes[at:self.end(at)]) for at in self.offsets]
        index = (b"\xfftOc" + struct.pack(">I", 2) + struct.pack(">256I", *fanout)
                 + b"".join(map(bytes.fromhex, self.ids)) + struct.pack(f">{len(crcs)}I", *crcs)
                 + struct.pack(f">{len(crcs)}I", *self.offsets) + self.bytes[-20:])
        for path, content in ((self.path, self.bytes), (self.index_path, index + hashlib.sha1(index).digest())):
            fresh = path.with_name("fresh")
            fresh.write_bytes(content)
            fresh.rename(path)
