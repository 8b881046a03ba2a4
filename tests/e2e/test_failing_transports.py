"""As test_failing_remote, for what only one transport has: names, certificates, ssh's keys, connections that end in each
way, and servers that speak version 0. Each failure has its errno and its sentence, and is over when it is over."""

import contextlib
import dataclasses
import errno
import functools
import os
import pathlib
import re
import select
import shutil
import socket
import ssl
import struct
import threading
import time
import typing
import unittest

from support import certificates, servers
from support.case import EndToEnd
from support.processes import eventually, patience, preloadable, run, slowness
from support.wire import Answer, HttpServer, packet
from test_failing_remote import (SOON, Remote, flipped, in_pieces, make_two_versions, nonsense, said, silence, silence_after,
                                 status, truncated, until_stopped)

SANITIZED = os.environ.get("E2E_BUILD", "").endswith(("asan", "tsan"))


class Gate(servers.ThreadedServer):
    """A port in front of another one: lets everything through, or does what `way` says. `met` counts how often it did."""

    def __init__(self, host, target):
        self.host, self.target = host, target
        self.way, self.met = None, 0
        super().__init__()

    def set(self, way):
        """Connections of before are cut."""
        self.way = way
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection):
        if self.way:
            self.met += 1
        if self.way in (None, "pass") or isinstance(self.way, int):
            self._pass(connection, self.way if isinstance(self.way, int) else None)
        elif self.way == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self.way == "silent":
            while connection.recv(65536):
                pass
        elif self.way == "trickle":
            for byte in b"fff0" + b"x" * 600:  # one long packet, or a line without end
                if self.way != "trickle":
                    return
                connection.sendall(bytes([byte]))
                time.sleep(0.5)
        elif isinstance(self.way, bytes):
            connection.recv(65536)
            connection.sendall(self.way)
        # else: closed

    def _pass(self, client, most):
        """At most so many bytes of the answer."""
        with socket.create_connection(("127.0.0.1", self.target), 10) as server:
            self.connections.append(server)
            while True:
                for source in select.select([client, server], [], [])[0]:
                    received = source.recv(65536)
                    if source is server and most is not None:
                        received = received[:most]
                        most -= len(received)
                    if not received:
                        return
                    (server if source is client else client).sendall(received)
                    if most == 0:
                        return


class OldServer(HttpServer):
    """Version 0 of the protocol, over http; `way` as in test_failing_remote, for a listing or a pack."""

    remembers = True

    def __init__(self, repository, host, way, of):
        self.host, self.way, self.of = host, way, of
        self.bad, self.met = False, 0
        super().__init__(repository, OldServer.answer)

    def answer(self, request):
        true = self.true_answer(request, version=0)
        if not self.bad or self.of != ("listing" if request.method == "GET" else "pack"):
            return true
        self.met += 1
        answer = self.way(self, request, true)
        if answer.status == 200 and "Content-Type" in answer.headers:
            answer.headers["Content-Type"] = true.headers["Content-Type"]
        return answer

    @property
    def address(self):
        return f"http://{self.host}:{self.port}"


class SecureServer(HttpServer):
    """https, with the certificate of `good`, or of `wrong`."""

    def __init__(self, repository, host, good, wrong):
        self.host, self.good, self.wrong = host, good, wrong
        self.bad, self.met = False, 0
        super().__init__(repository)

    def serve(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chosen = self.wrong if self.bad else self.good
        context.load_cert_chain(chosen.chain, chosen.key)
        self.met += self.bad
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            super().serve(secure)

    def set_bad(self, bad):
        self.bad = bad
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def address(self):
        return f"https://{self.host}:{self.port}"


def trickle(server, request, true):
    return Answer(headers=dict(true.headers), body=until_stopped(server, in_pieces(true.body[:200], 1, 0.5)),
                  length=len(true.body))


@dataclasses.dataclass
class Way:
    kind: str
    how: typing.Any
    errno: int
    says: str  # what the sentence must have


TLS = {
    "tls-another-host": Way("tls", "another", errno.EACCES, "name.*the URL must name the host"),
    "tls-expired": Way("tls", "expired", errno.EACCES, "expired.*must renew it"),
    "tls-self-signed": Way("tls", "self-signed", errno.EACCES, "self[- ]signed.*http.sslCAInfo"),
    "tls-unknown-authority": Way("tls", "unknown", errno.EACCES, "issuer certificate.*http.sslCAInfo"),
}
SSH = {
    "ssh-refused-key": Way("key", None, errno.EACCES, "ssh: .*Permission denied.*without a question"),
    "ssh-unknown-host": Way("known", "", errno.EACCES, "ssh: .*[Hh]ost key.*without a question"),
    "ssh-another-host": Way("known", "another", errno.EACCES, "ssh: .*([Hh]ost key|HOST IDENTIFICATION)"),
    # Whether ssh says closed or reset depends on how far it had come.
    "ssh-closed": Way("ssh", "close", errno.EIO, "ssh: .*(closed|reset|kex_exchange)"),
    "ssh-reset": Way("ssh", "reset", errno.EIO, "ssh: .*(reset|closed|kex_exchange)"),
    "ssh-nonsense": Way("ssh", b"220 mail.example.org ESMTP\r\n" * 40, errno.EIO, "ssh: "),
    "ssh-silent": Way("ssh", "silent", errno.ETIMEDOUT, "."),
    "ssh-trickle": Way("ssh", "trickle", errno.ETIMEDOUT, "."),
    "ssh-cut": Way("ssh", 3000, errno.EIO, "."),
    "ssh-refused": Way("ssh", "refuse", errno.EHOSTUNREACH, "ssh: .*refused"),
}
GIT = {
    "git-closed": Way("git", "close", errno.EIO, "."),
    "git-reset": Way("git", "reset", errno.EIO, "."),
    "git-silent": Way("git", "silent", errno.ETIMEDOUT, "."),
    "git-trickle": Way("git", "trickle", errno.ETIMEDOUT, "."),
    "git-cut": Way("git", 100, errno.EIO, "cut off|closed without"),
    "git-nonsense": Way("git", b"SSH-2.0-dropbear\r\n", errno.EIO, "."),
    "git-refused": Way("git", "refuse", errno.EHOSTUNREACH, "refused|[Cc]ould ?n.t connect|Failed to connect"),
    "git-gone": Way("git", packet("ERR access denied or repository not exported: /x"), errno.EHOSTUNREACH,
                    "the server refused: .*not exported"),
    "git-denied": Way("git", packet("ERR Access denied."), errno.EACCES, "the server refused: Access denied"),
    "git-busy": Way("git", packet("ERR too many connections"), errno.EIO, "the server refused: too many"),
}
OLD = {
    "old-404": Way("listing", status(404), errno.EHOSTUNREACH, "404"),
    "old-500": Way("pack", status(500), errno.EIO, "500"),
    "old-silent": Way("listing", silence, errno.ETIMEDOUT, "."),
    "old-silent-pack": Way("pack", silence_after(0.7), errno.ETIMEDOUT, "."),
    "old-trickle": Way("listing", trickle, errno.ETIMEDOUT, "little of what"),
    "old-truncated": Way("listing", lambda s, r, true: Answer(
        headers=dict(true.headers), body=true.body[:-9], length=-1), errno.EIO, "."),
    "old-truncated-pack": Way("pack", truncated, errno.EIO, "."),
    "old-flipped-pack": Way("pack", flipped, errno.EIO, "."),
    "old-nonsense": Way("pack", nonsense, errno.EIO, "."),
    "old-gone": Way("listing", said("repository not found"), errno.EHOSTUNREACH, "the server refused"),
}
NAMES = {
    "name-http": Way("name", "http", errno.EHOSTUNREACH, "[Cc]ould ?n.t resolve host"),
    "name-git": Way("name", "git", errno.EHOSTUNREACH, "[Cc]ould ?n.t resolve host"),
    "name-ssh": Way("name", "ssh", errno.EHOSTUNREACH, "ssh: [Cc]ould not resolve hostname"),
}


class TransportRemote(Remote):
    """Fails by the switch that its kind of way has."""

    def __init__(self, test, name, number, way):  # pylint: disable=super-init-not-called
        self.test, self.name, self.way, self.errno = test, name, way, way.errno
        self.repository = test.made[name]
        self.problems, self.back_after = [], 0.0
        self.host = f"127.0.2.{number + 1}"
        url = getattr(self, f"make_{way.kind}")(way.how)
        self.source = f"{url}?tag=1"

    def make_tls(self, how):
        self.server = self.test.serve(SecureServer, self.repository, self.host,
                                      self.test.certificate_for("good", self.host),
                                      self.test.certificate_for(how, self.host))
        self.switch = self.server.set_bad
        return self.server.url(self.name)

    def make_listing(self, how, of="listing"):
        self.server = self.test.serve(OldServer, self.repository, self.host, how, of)
        self.switch = lambda bad: setattr(self.server, "bad", bad)
        return self.server.url(self.name)

    def make_pack(self, how):
        return self.make_listing(how, "pack")

    def make_gate(self, target, how):
        self.server = self.test.serve(Gate, self.host, target.port)
        self.switch = lambda bad: self.server.set(how if bad else None)
        if how == "refuse":
            self.switch = self.refuse

    def refuse(self, bad):
        if bad:
            self.server.set("refuse")
            self.server.listener.shutdown(socket.SHUT_RDWR)
            self.server.listener.close()
            self.server.thread.join(5)
            self.server.met += 1
            return
        self.server.way = None
        self.server.listener = socket.create_server((self.host, self.server.port), backlog=256)
        self.server.thread = threading.Thread(target=self.server._accept, daemon=True)
        self.server.thread.start()

    def make_git(self, how):
        self.make_gate(self.test.daemon, how)
        return f"git://{self.host}:{self.server.port}/{self.name}"

    def make_ssh(self, how):
        self.test.allow_ssh(self.host)
        self.make_gate(self.test.sshd, how)
        return f"ssh://{self.test.sshd.user}@{self.host}:{self.server.port}{self.repository.path}"

    def make_key(self, _):
        url = self.make_ssh("pass")
        self.switch = self.refuse_key
        return url

    def refuse_key(self, bad):
        (self.test.allow_ssh if not bad else self.test.refuse_ssh)(self.host)
        self.server.set("pass" if bad else None)

    def make_known(self, how):
        url = self.make_ssh("pass")
        known = self.test.folder / f"known-{self.host}"
        right = known.read_text()
        wrong = f"host {self.test.another_key}\n" if how else ""

        def switch(bad):
            known.write_text(wrong if bad else right)
            self.server.set("pass" if bad else None)

        self.switch = switch
        return url

    def make_name(self, how):
        self.host = f"{self.name}.invalid"
        self.test.allow_ssh(self.host)
        target = {"http": self.test.nginx, "git": self.test.daemon, "ssh": self.test.sshd}[how]
        gate = self.test.serve(Gate, "127.0.0.1", target.port)
        self.server = gate

        def switch(bad):
            if bad:
                self.test.resolves.unlink(missing_ok=True)
            else:
                self.test.resolves.touch()
            gate.set(None)
            gate.met += bad

        self.switch = switch
        return {"http": f"http://{self.host}:{gate.port}/git/{self.name}",
                "git": f"git://{self.host}:{gate.port}/{self.name}",
                "ssh": f"ssh://{self.test.sshd.user}@{self.host}:{gate.port}{self.repository.path}"}[how]

    def fail(self):
        self.repository.show("2")
        self.switch(True)

    def come_back(self):
        self.switch(False)

    def check_said(self, mount):
        """In status.json, and the same in the log; a reader may have its answer a moment before."""
        with contextlib.suppress(AssertionError):
            eventually(lambda: self.is_said(mount.repository(self.name)), 10)
        if not self.is_said(mount.repository(self.name)):
            self.wrong(f"no sentence with '{self.way.says}': {self.sentences}")
        letters = re.compile("[^a-z]")  # the log writes what is no letter in its own way
        log = letters.sub("", mount.log())
        if not any(letters.sub("", text) in log for text in self.sentences):
            self.wrong(f"not in the log: {self.sentences}")
        for text in self.sentences:
            if "\n" in text or len(text) > 500:
                self.wrong(f"no sentence: {text!r}")

    def is_said(self, told):
        errors = [told.get("error")] + [one.get("error") for one in told["versions"]]
        self.sentences = [text for text in errors if text]
        return any(re.search(self.way.says, text) for text in self.sentences)


class Transports(EndToEnd):
    deadline = 240

    def setUp(self):
        super().setUp()
        self.keys = self.folder / "keys"
        self.keys.mkdir()
        self.authorities = {}
        self.ssh_config = self.folder / "ssh.conf"
        self.ssh_config.write_text("")
        self.git_configure("core.sshCommand", f"ssh -F {self.ssh_config}")
        self.git_configure("http.sslCAInfo", self.authority("good"))

    @functools.cached_property
    def daemon(self):
        return self.serve(servers.GitDaemon, self.repositories)

    @functools.cached_property
    def sshd(self):
        return self.serve(servers.Sshd, self.repositories)

    @property
    def another_key(self):
        return (self.sshd.folder / "user.pub").read_text().strip()

    # ---- certificates ----

    def openssl(self, *arguments):
        run(["openssl", *arguments], env=self.env)

    def authority(self, name):
        folder = self.keys / f"authority-{name}"
        if not folder.exists():
            folder.mkdir()
            certificates.make(folder, self.env)
        return folder / "authority.pem"

    def certificate_for(self, how, host):
        """A certificate for that host, or with what `how` says."""
        authority = self.authority("unknown" if how == "unknown" else "good")
        base = self.keys / f"{how}-{host}"
        made = certificates.Certificate(authority, base.with_name(base.name + ".pem"),
                                        base.with_name(base.name + ".key"))
        names = base.with_name(base.name + ".names")
        names.write_text(f"subjectAltName={'DNS:elsewhere.example' if how == 'another' else 'IP:' + host}\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        if how == "self-signed":
            self.openssl("req", "-x509", *curve, "-keyout", made.key, "-out", made.chain, "-days", "2", "-subj",
                         f"/CN={host}", "-addext", names.read_text().strip())
            return made
        request = base.with_name(base.name + ".csr")
        self.openssl("req", *curve, "-keyout", made.key, "-out", request, "-subj", f"/CN={host}")
        self.openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority.with_suffix(".key"),
                     "-CAcreateserial", "-days", "-1" if how == "expired" else "2", "-extfile", names, "-out",
                     made.chain)
        return made

    # ---- ssh: each host with a key and a file of known hosts of its own ----

    def allow_ssh(self, host):
        key = self.folder / f"key-{host}"
        if not key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host, "-f", key], env=self.env)
            known = self.folder / f"known-{host}"
            known.write_text(f"host {(self.sshd.folder / 'host.pub').read_text().strip()}\n")
            with open(self.ssh_config, "a", encoding="utf-8") as config:
                config.write(f"Host {host}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  HostKeyAlias host\n"
                             f"  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n")
        with open(self.sshd.folder / "authorized", "a", encoding="utf-8") as file:
            file.write(pathlib.Path(f"{key}.pub").read_text())

    def refuse_ssh(self, host):
        authorized = self.sshd.folder / "authorized"
        lines = [line for line in authorized.read_text().splitlines() if not line.endswith(" " + host)]
        fresh = authorized.with_name("authorized.fresh")
        fresh.write_text("\n".join(lines) + "\n")
        shutil.copymode(authorized, fresh)
        fresh.rename(authorized)

    # ---- the campaign ----

    def in_parallel(self, actions):
        threads = [threading.Thread(target=action, args=arguments, daemon=True) for action, *arguments in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(4 * SOON, 60 * slowness()))
        return sum(thread.is_alive() for thread in threads)

    def run_ways(self, ways, timeout=patience(8), **options):
        only = os.environ.get("E2E_WAYS")
        ways = {name: way for name, way in ways.items() if not only or re.search(only, name)}
        self.made = {name: make_two_versions(self, name) for name in ways}
        remotes = [TransportRemote(self, name, number, way) for number, (name, way) in enumerate(ways.items())]
        for remote in remotes:
            remote.timeout, remote.soon = timeout, 3 * SOON
        env = self.env | options.get("env", {}) | {"STARTPOINTFS_CACHE": str(self.folder / "cache")}
        self.program("fetch", "--jobs", "4", *[remote.source for remote in remotes], env=env, timeout=120)
        mount = self.mount(*[remote.source for remote in remotes],
                           options=f"timeout={timeout},jobs=64,refs_ttl=1", **options)
        for remote in remotes:
            self.assertIn(":1", (mount / remote.name / "1/manifest.json").read_text())
        for remote in remotes:
            remote.fail()
        hang = self.in_parallel([(remote, mount) for remote in remotes])
        for remote in remotes:
            remote.check_said(mount)
        for remote in remotes:
            remote.come_back()
        hang += self.in_parallel([(remote.check_return, mount) for remote in remotes])
        wrong = [f"{remote.name}: {text}" for remote in remotes for text in remote.problems]
        print(f"figures: {len(remotes)} ways in which a transport fails, and comes back: {len(wrong)} wrong, {hang} "
              f"hang, {mount.status()['restarts']} crash; the slowest was believed again after "
              f"{max(remote.back_after for remote in remotes):.1f} s")
        self.assertEqual([], wrong)
        self.assertEqual((0, 0), (hang, mount.status()["restarts"]))

    def test_certificates(self):
        self.run_ways(TLS)

    def test_ssh(self):
        # A handshake takes a loaded machine long.
        self.run_ways(SSH, timeout=patience(12))

    def test_git_daemons(self):
        self.run_ways(GIT)

    def test_version_0(self):
        self.run_ways(OLD)

    test_version_0.with_sanitizers = False  # test_servers speaks version 0 with them

    @unittest.skipIf(SANITIZED, "a preloaded library comes before the sanitizer's")
    def test_names_that_do_not_resolve(self):
        library = preloadable("resolver", self.folder, self.env)
        self.nginx = self.serve(servers.Nginx, self.repositories)
        self.resolves = self.folder / "resolves"
        self.resolves.touch()
        self.run_ways(NAMES, timeout=patience(12), env={"LD_PRELOAD": str(library), "RESOLVES": str(self.resolves)})


if __name__ == "__main__":
    unittest.main()
