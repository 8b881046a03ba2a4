"""A certificate authority that only one test knows, and a certificate for 127.0.0.1 by it."""

import dataclasses
import pathlib

from .processes import run


@dataclasses.dataclass(frozen=True)
class Certificate:
    authority: pathlib.Path  # what a client must trust
    chain: pathlib.Path
    key: pathlib.Path


def make(folder, env):
    folder = pathlib.Path(folder)
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(["openssl", "req", "-x509", *curve, "-keyout", folder / "authority.key", "-out",
         made.authority, "-days", "2", "-subj", "/CN=the test's authority",
         "-addext", "keyUsage=critical,keyCertSign"], env=env)
    run(["openssl", "req", *curve, "-keyout", made.key, "-out", folder / "server.csr", "-subj",
         "/CN=127.0.0.1"], env=env)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    run(["openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", made.authority, "-CAkey",
         folder / "authority.key", "-CAcreateserial", "-days", "2", "-extfile", folder / "names",
         "-out", made.chain], env=env)
    return made
