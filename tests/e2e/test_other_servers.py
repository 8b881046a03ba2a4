"""Servers of other families, from Debian's packages; and those that have too many connections. What git gets, we get."""

import glob
import os
import shutil
import socket
import struct
import threading

from support import servers, trees
from support.case import EndToEnd, allow_seconds
from support.processes import eventually
from support.repositories import start_point
from support.servers import Server, ThreadedServer
from support.wire import HttpServer

_DULWICH = """
import sys
from dulwich.repo import Repo
from dulwich.server import DictBackend, TCPGitServer
from dulwich.web import make_server, make_wsgi_chain
kind, path, port = sys.argv[1:]
repositories = {"git": {b"/python-unittest": Repo(path)}, "http": {"/python-unittest": Repo(path)}}[kind]
if kind == "git":
    TCPGitServer(DictBackend(repositories), "127.0.0.1", port=int(port)).serve_forever()
else:
    make_server("127.0.0.1", int(port), make_wsgi_chain(DictBackend(repositories))).serve_forever()
"""


class Dulwich(Server):
    """The server of Python's git library, which speaks version 0 and wants to hear `thin-pack`."""

    def __init__(self, folder, env, repositories, kind):
        super().__init__(folder, env)
        self.kind = kind
        self.port = self.start_on_port(lambda port: [
            "/usr/bin/python3", "-c", _DULWICH, kind, repositories / "python-unittest", port])

    def url(self, name):
        return f"{self.kind}://127.0.0.1:{self.port}/{name}"


class Jgit(Server):
    """JGit's daemon; Debian's script for it lacks a part of its class path."""

    def __init__(self, folder, env, repositories):
        super().__init__(folder, env)
        names = ["*jgit*", "args4j", "slf4j-api", "slf4j-simple", "JavaEWAH", "commons-compress", "jsch"]
        jars = [jar for name in names for jar in glob.glob(f"/usr/share/java/{name}.jar")]
        self.port = self.start_on_port(lambda port: [
            "java", "-cp", ":".join(jars), "org.eclipse.jgit.pgm.Main", "daemon", "--listen", "127.0.0.1",
            "--port", port, "--export-all", repositories])

    def url(self, name):
        return f"git://127.0.0.1:{self.port}/{name}"


class Gitolite(servers.Sshd):
    """sshd whose keys lead to gitolite."""

    def __init__(self, folder, env, repositories):
        super().__init__(folder, env, repositories)
        home = self.folder / "gitolite"
        home.mkdir()
        shutil.copy(self.folder / "user.pub", home / "anna.pub")
        servers.run(["gitolite", "setup", "-pk", home / "anna.pub"], env={**env, "HOME": str(home)})
        servers.run(["git", "--git-dir", home / "repositories/testing.git", "fetch", "-q",
                     repositories / "python-unittest", "+refs/*:refs/*"], env=env)
        key = (self.folder / "user.pub").read_text()
        (self.folder / "authorized").write_text(
            f'command="env HOME={home} /usr/share/gitolite3/gitolite-shell anna" {key}')

    def url(self, name):
        return f"ssh://{self.user}@127.0.0.1:{self.port}/testing"



class Cgit(Server):
    """cgit behind nginx: it gives a repository's files one by one, and knows nothing of git's protocol."""

    _TEXT = """
daemon off; pid {folder}/nginx.pid; {user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi; proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            fastcgi_pass unix:{folder}/fcgiwrap;
            fastcgi_param SCRIPT_FILENAME /usr/lib/cgit/cgit.cgi;
            fastcgi_param CGIT_CONFIG {folder}/cgitrc;
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $args;
            fastcgi_param REQUEST_METHOD $request_method;
        }}
    }}
}}
"""

    def __init__(self, folder, env, repositories):
        super().__init__(folder, env)
        (self.folder / "cgitrc").write_text(f"enable-http-clone=1\nvirtual-root=/\nscan-path={repositories}\n")
        socket_path = self.folder / "fcgiwrap"
        self.start("/usr/sbin/fcgiwrap", "-f", "-c", "2", "-s", f"unix:{socket_path}")
        eventually(socket_path.exists, 10, "fcgiwrap's socket")
        self.port = self.start_on_port(self._command)

    def _command(self, port):
        configuration = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(self._TEXT.format(folder=self.folder, port=port, user=user))
        return ["/usr/sbin/nginx", "-e", self.folder / "server.log", "-p", self.folder, "-c", configuration]

    def url(self, name):
        return f"http://127.0.0.1:{self.port}/{name}"


class Families(EndToEnd):
    deadline = 120

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.repository.annotate("annotated", "1")
        self.repository.tag("a/slashed", "2")
        self.middle = self.repository.commit(start_point("between"))
        self.repository.commit(start_point("last"))

    def check(self, server):
        if hasattr(server, "command"):
            self.git_configure("core.sshCommand", server.command)
        url = server.url("python-unittest")
        self.call("git", "clone", "-q", "--depth", "1", "--branch", "annotated", url, self.folder / "clone")
        mount = self.mount(f"{url}?name=it", f"{self.middle}@{url}?name=that")
        for version in ("1", "annotated", "a/slashed"):
            expected = self.repository.clone(version, self.folder / "expected" / version.replace("/", "-"))
            trees.compare(self, mount / "it" / version, expected)
        # A commit that no ref names comes also from a server that gives none by its id.
        expected = self.repository.clone(self.middle, self.folder / "expected" / "middle")
        trees.compare(self, mount / "that" / self.middle, expected)

    def test_dulwich_over_http(self):
        self.check(self.serve(Dulwich, self.repositories, "http"))

    def test_dulwich_over_git(self):
        self.check(self.serve(Dulwich, self.repositories, "git"))

    def test_jgit(self):
        self.check(self.serve(Jgit, self.repositories))

    def test_gitolite(self):
        self.check(self.serve(Gitolite, self.repositories))

    def test_cgit_which_git_clones_file_by_file_is_named(self):
        bare = self.folder / "bare"
        self.call("git", "clone", "-q", "--bare", self.repositories / "python-unittest", bare / "python-unittest")
        url = self.serve(Cgit, bare).url("python-unittest")
        self.call("git", "clone", "-q", "--branch", "annotated", url, self.folder / "clone")
        fetched = self.program("fetch", url + "?tag=1", check=False)
        self.assertEqual(3, fetched.returncode)
        self.assertIn("dumb http", fetched.stderr)

    def test_a_server_that_gives_no_commit_by_its_id_is_not_asked(self):
        self.git_configure("uploadpack.allowAnySHA1InWant", "false")
        server = self.serve(HttpServer, self.repository, lambda server, request: server.true_answer(request, version=0))
        self.program("versions", server.url("it"))
        cache = self.folder / "cache"
        self.program("fetch", "--cache", cache, server.url("it") + "?tag=1")
        self.program("fetch", "--cache", cache, f"{self.middle}@{server.url('it')}")
        want = f"want {self.middle}".encode()
        self.assertFalse([request for request in server.requests if want in request.body])

    def test_who_waits_for_a_whole_history_keeps_nobody_waiting(self):
        """A commit that comes only with all of it, and comes slowly: tags of the same repository are fetched meanwhile."""
        self.git_configure("uploadpack.allowAnySHA1InWant", "false")
        searched, go_on = threading.Event(), threading.Event()

        def answer(server, request):
            if b"want " in request.body and b"deepen" not in request.body:
                if searched.is_set():  # the second time it is for keeps
                    go_on.wait(60)
                searched.set()
            return server.true_answer(request, version=0)
        self.addCleanup(go_on.set)
        server = self.serve(HttpServer, self.repository, answer)
        mount = self.mount(f"{self.middle}@{server.url('it')}?name=it", options="timeout=50")
        read = threading.Thread(target=os.listdir, args=[mount / "it" / self.middle])
        read.start()
        self.assertTrue(searched.wait(30))
        eventually(lambda: sum(b"deepen" not in one.body for one in server.requests if b"want " in one.body) == 2, 30,
                   "the whole history is asked for")
        self.assertIn("manifest.json", os.listdir(mount / "it/1"))
        go_on.set()
        read.join()
        expected = self.repository.clone(self.middle, self.folder / "expected")
        trees.compare(self, mount / "it" / self.middle, expected)
        for verb in (["fsck", "--strict"], ["log", "--format=%H", self.middle]):
            self.call("git", "--git-dir", next(mount.cache.rglob("*.git")), *verb)


class CrowdedProxy(ThreadedServer):
    """Passes on as many connections as it likes at once, and drops each further one."""

    def __init__(self, target, most):
        self.target, self.most = target, most
        self.open, self.dropped = 0, 0
        self.lock = threading.Lock()
        super().__init__()

    def url(self, name):
        return self.target.url(name).replace(f":{self.target.port}/", f":{self.port}/")

    def serve(self, connection):
        with self.lock:
            crowded = self.open >= self.most
            self.open += not crowded
            self.dropped += crowded
        if crowded:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        try:
            with socket.create_connection(("127.0.0.1", self.target.port)) as other:
                back = threading.Thread(target=self.pass_on, args=[other, connection], daemon=True)
                back.start()
                self.pass_on(connection, other)
                back.join()
        finally:
            with self.lock:
                self.open -= 1

    @staticmethod
    def pass_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Crowds(EndToEnd):
    """A server that drops connections has too many: fewer are asked at once, and nothing fails."""

    deadline = 180

    def check(self, url, count=20):
        """So many repositories at once."""
        names = [f"number{number}" for number in range(count)]
        for name in names:
            shutil.copytree(self.repositories / "python-unittest", self.repositories / name)
        mount = self.mount(*(f"{url(name)}?tag=1" for name in names), options="jobs=16,timeout=60")
        failed = []

        def read(name):
            try:
                os.listdir(mount / name / "1")
            except OSError as failure:
                failed.append((name, failure))
        readers = [threading.Thread(target=read, args=[name]) for name in names]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        self.assertEqual([], failed, mount.log())

    @allow_seconds(180)
    def test_over_http(self):
        self.make_start_point(tags=["1"])
        proxy = self.serve(CrowdedProxy, self.serve(servers.Nginx, self.repositories), 3)
        self.check(proxy.url)
        self.assertGreater(proxy.dropped, 0)

    def test_over_git(self):
        self.make_start_point(tags=["1"])
        proxy = self.serve(CrowdedProxy, self.serve(servers.GitDaemon, self.repositories), 2)
        self.check(proxy.url)
        self.assertGreater(proxy.dropped, 0)

    @allow_seconds(240)
    def test_over_ssh(self):
        self.make_start_point(tags=["1"])
        server = self.serve(servers.Sshd, self.repositories)
        proxy = self.serve(CrowdedProxy, server, 2)
        known = server.folder / "known"
        known.write_text(known.read_text() + known.read_text().replace(f":{server.port} ", f":{proxy.port} "))
        self.git_configure("core.sshCommand", server.command)
        self.check(proxy.url, 10)
        self.assertGreater(proxy.dropped, 0)

    def test_one_that_always_drops_fails_soon(self):
        server = self.serve(servers.ResettingServer)
        for scheme in ("http", "git"):
            done = self.program("versions", f"{scheme}://127.0.0.1:{server.port}/x", check=False, timeout=20)
            self.assertEqual(3, done.returncode)


class HttpOptions(EndToEnd):
    def test_cookies_from_git_s_file(self):
        repository = self.make_start_point(tags=["1"])
        server = self.serve(HttpServer, repository)
        cookies = self.folder / "cookies"
        cookies.write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tsecret\n"
                           "example.org\tFALSE\t/\tFALSE\t0\tother\tsecret\n")
        self.git_configure("http.cookieFile", cookies)
        os.listdir(self.mount(server.url() + "?tag=1") / "repository/1")
        self.assertEqual({"session=secret"}, {request.headers.get("cookie") for request in server.requests})

    def test_the_method_of_a_proxy(self):
        """With basic the password is sent unasked."""
        repository = self.make_start_point(tags=["1"])
        proxy = self.serve(HttpServer, repository)
        self.git_configure("http.proxy", f"http://me:open@127.0.0.1:{proxy.port}")
        self.git_configure("http.proxyAuthMethod", "basic")
        self.program("versions", "http://example.invalid/python-unittest")
        self.assertIn("proxy-authorization", proxy.requests[0].headers)
