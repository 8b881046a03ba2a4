"""Every git server that git itself can clone from: real ones, in each version of the protocol that they speak, and
scripted ones for what cannot run here. What git gets, we get."""

import base64
import errno
import os
import re
import shutil

from support import servers, trees
from support.case import EndToEnd, allow_seconds
from support.repositories import start_point
from support.wire import RESULT, Answer, GitServer, HttpServer, packet, packets


class Servers(EndToEnd):
    deadline = 120

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.repository.annotate("annotated", "1")
        self.repository.tag("a/slashed", "2")
        self.middle = self.repository.commit(start_point("between"))
        self.repository.commit(start_point("last"))
        self.expected = {version: self.repository.clone(version, self.folder / "expected" / name)
                         for name, version in enumerate_names("1", "annotated", "a/slashed", self.middle)}

    def check(self, url, *, cache=None):
        """A light tag, an annotated one, a slashed one, and a commit that no ref names; then a tag that moves."""
        cache = cache or self.folder / f"cache{len(list(self.folder.iterdir()))}"
        for version, expected in self.expected.items():
            source = f"{version}@{url}" if version == self.middle else f"{url}?tag={version}"
            self.program("fetch", "--cache", cache, source)
        mount = self.mount(url, f"{self.middle[:10]}@{url}", options="offline", cache=cache)
        for version, expected in self.expected.items():
            shown = self.middle[:10] if version == self.middle else version
            trees.compare(self, mount / "python-unittest" / shown, expected)
        mount.unmount()
        for folder in cache.rglob("*.git"):
            self.call("git", "--git-dir", folder, "fsck", "--strict")
        self.repository.git("update-ref", "refs/tags/moving", self.repository.id_of("1"))
        self.assertIn(f"moving\t{self.repository.id_of('1')}", self.versions(url))
        self.repository.git("update-ref", "refs/tags/moving", self.repository.id_of("2"))
        self.assertIn(f"moving\t{self.repository.id_of('2')}", self.versions(url))
        return cache

    def versions(self, url, **options):
        return self.program("versions", url, **options).stdout

    def check_git(self, url, **options):
        """git gets it, too."""
        target = self.folder / f"clone{len(list(self.folder.iterdir()))}"
        self.call("git", "clone", "-q", "--depth", "1", "--branch", "annotated", url, target, **options)
        shutil.rmtree(target / ".git")
        trees.compare(self, target, self.expected["annotated"])

    def any_commit(self, allowed):
        self.git_configure("uploadpack.allowAnySHA1InWant", str(allowed).lower())


def enumerate_names(*versions):
    return [(str(number), version) for number, version in enumerate(versions)]


class Http(Servers):
    """git-http-backend behind nginx."""

    def test_each_version(self):
        for passed_on in (True, False):
            for allowed in (True, False):
                with self.subTest(passed_on=passed_on, allowed=allowed):
                    self.any_commit(allowed)
                    server = self.serve(servers.Nginx, self.repositories, git_protocol=passed_on)
                    self.check_git(server.url("python-unittest"))
                    self.check(server.url("python-unittest"))
                    server.stop()

    def test_git_is_told_to_speak_an_older_version(self):
        server = self.serve(servers.Nginx, self.repositories)
        for version in (0, 1):
            with self.subTest(version):
                self.git_configure("protocol.version", str(version))
                self.check(server.url("python-unittest"))
        self.assertEqual({"", "version=1"}, {request["git_protocol"] for request in server.requests()})

    def test_once_learnt_a_listing_is_one_request(self):
        """Version 0: the straight POST is tried once, by this process and by the next."""
        server = self.serve(servers.Nginx, self.repositories, git_protocol=False)
        cache = self.folder / "cache"
        for tag in ("1", "2"):
            self.program("fetch", "--cache", cache, f"{server.url('python-unittest')}?tag={tag}")
        asked = [(request["method"], request["uri"].rpartition("/")[2].partition("?")[0])
                 for request in server.requests()]
        first = [("POST", "git-upload-pack"), ("GET", "refs"), ("POST", "git-upload-pack")]
        self.assertEqual(first + first[1:], asked)


class Daemon(Servers):
    def test_version_2(self):
        for allowed in (True, False):
            with self.subTest(allowed):
                self.any_commit(allowed)
                server = self.serve(servers.GitDaemon, self.repositories)
                self.check_git(server.url("python-unittest"))
                self.check(server.url("python-unittest"))

    def test_version_0_without_the_extra_parameter(self):
        self.git_configure("protocol.version", "0")
        server = self.serve(servers.GitDaemon, self.repositories)
        self.check_git(server.url("python-unittest"))
        self.check(server.url("python-unittest"))

    def test_a_server_that_passes_the_parameter_over(self):
        for version in (0, 1):
            with self.subTest(version):
                server = self.serve(GitServer, self.repository, version=version)
                self.check_git(server.url("python-unittest"))
                self.check(server.url("python-unittest"))


class Ssh(Servers):
    @allow_seconds(240)
    def test_debian_s_sshd(self):
        """Its default takes no GIT_PROTOCOL, so git-upload-pack speaks version 0."""
        for accepted in (False, True):
            with self.subTest(accepted):
                server = self.serve(servers.Sshd, self.repositories, git_protocol=accepted)
                self.git_configure("core.sshCommand", server.command)
                self.check_git(server.url("python-unittest"))
                self.check(server.url("python-unittest"))

    def test_list_and_fetch_share_a_connection(self):
        for accepted in (False, True):
            with self.subTest(accepted):
                server = self.serve(servers.Sshd, self.repositories, git_protocol=accepted)
                self.git_configure("core.sshCommand", server.command)
                self.program("fetch", "--cache", self.folder / f"cache{accepted}",
                             server.url("python-unittest") + "?tag=1")
                self.assertEqual(1, server.connections())


class Local(Servers):
    def test_each_version(self):
        for version in (0, 1, 2):
            with self.subTest(version):
                self.git_configure("protocol.version", str(version))
                self.check(str(self.repository.path))


class Scripted(Servers):
    """Servers that cannot run here, as far as their oddities are known."""

    def serve_version_0(self, change=None, without=(), respond=None):
        """A server of version 0, less some capabilities; change(answer, request) may do the rest."""
        def strip(body):
            for word in without:
                body = body.replace(b" " + word, b"").replace(b"\0" + word + b" ", b"\0")
            return relength(body)

        def answer_0(server, request):
            answer = server.true_answer(request, version=0)
            if request.method == "GET":
                answer.body = strip(answer.body)
            return change(answer, request) if change else answer
        return self.serve(HttpServer, self.repository, respond or answer_0)

    def fetch(self, url, **options):
        self.fetches = getattr(self, "fetches", 0) + 1
        return self.program("fetch", "--cache", self.folder / f"fetched{self.fetches}", url, **options)

    def test_nothing_is_asked_for_that_is_not_offered(self):
        """CodeCommit has no ofs-delta and no agent; others have no side-band, or only the narrow one."""
        for without in ([b"ofs-delta", rb"agent=git/2.39.5"], [b"side-band-64k"], [b"side-band-64k", b"side-band"],
                        [b"multi_ack_detailed", b"multi_ack", b"no-progress"]):
            with self.subTest(without):
                server = self.serve_version_0(without=without)
                self.check_git(server.url("python-unittest"))
                self.fetch(server.url("python-unittest") + "?tag=1")
                asked = [request.body for request in server.requests if b"want" in request.body]
                self.assertTrue(asked)
                for body in asked:
                    words = set(packets(body)[0][4:].split()[2:])
                    for word in without:
                        self.assertNotIn(word.partition(b"=")[0], {one.partition(b"=")[0] for one in words})

    def test_a_server_without_shallow_is_fetched_whole(self):
        server = self.serve_version_0(without=[b"shallow", b"deepen-since", b"deepen-not", b"deepen-relative"])
        fetched = self.fetch(server.url("python-unittest") + "?tag=2")
        self.assertEqual(1, fetched.stderr.count("all of it is fetched"), fetched.stderr)
        self.assertNotIn(b"deepen", server.requests[-1].body)
        self.assertNotIn(b" shallow", server.requests[-1].body)
        mount = self.mount(server.url("python-unittest") + "?tag=1")
        for tag in ("1", "2", "annotated"):
            os.listdir(mount / "python-unittest" / tag)
        self.assertIn("all of it is fetched", mount.log())

    def test_azure_devops(self):
        """A 400 (TF401041) for a client that does not name multi_ack."""
        def refuse(server, request):
            if request.method == "POST" and b"multi_ack" not in request.body:
                return Answer(400, {"Content-Type": "text/plain"}, b"TF401041: The git client is too old")
            return server.true_answer(request, version=0)
        server = self.serve_version_0(respond=refuse)
        self.fetch(server.url("python-unittest") + "?tag=1")

    def test_gitlab_without_its_suffix(self):
        """The POST is 404, the GET leads to the name with .git."""
        def respond(server, request):
            name, _, rest = request.path.lstrip("/").partition("/")
            if name.endswith(".git"):
                return server.true_answer(request)
            if request.method == "GET":
                return Answer(301, {"Location": f"{server.address}/{name}.git/{rest}"})
            return Answer(404, {"Content-Type": "text/html"}, b"<html>")
        server = self.serve(HttpServer, self.repository, respond)
        cache = self.folder / "cache"
        for tag in ("1", "2"):
            self.program("fetch", "--cache", cache, f"{server.url('python-unittest')}?tag={tag}")
        self.assertEqual(["/python-unittest/git-upload-pack", "/python-unittest/info/refs",
                          "/python-unittest.git/info/refs", "/python-unittest.git/git-upload-pack"],
                         [re.sub(r"\?.*", "", request.path) for request in server.requests][:4])
        self.assertEqual(1, sum(request.path.startswith("/python-unittest/git-upload-pack")
                                for request in server.requests), "it is remembered on disk")

    def test_err_after_a_straight_post(self):
        """Any failure before the first byte of a pack is followed by one try with discovery."""
        for first in (Answer(headers={"Content-Type": RESULT}, body=packet("ERR not like this")),
                      Answer(headers={"Content-Type": RESULT}, body=b"garbage"),
                      Answer(headers={"Content-Type": RESULT}, body=b"00"), Answer(500), Answer(403)):
            with self.subTest(first):
                def respond(server, request, first=first):
                    greeted = any(one.method == "GET" for one in server.requests)
                    return server.true_answer(request) if greeted else first
                server = self.serve(HttpServer, self.repository, respond)
                self.fetch(server.url("python-unittest") + "?tag=1")
                self.assertEqual(["POST", "GET", "POST", "POST"], [one.method for one in server.requests])

    def test_what_is_remembered_no_longer_works(self):
        """The server was updated: from version 0 to 2, which hides what it knew."""
        spoken = {"version": 0}

        def respond(server, request):
            if spoken["version"] == 2 and request.method == "POST" and b"command=" not in request.body:
                return Answer(400)
            return server.true_answer(request, version=spoken["version"])
        server = self.serve(HttpServer, self.repository, respond)
        cache = self.folder / "cache"
        for version, tag in ((0, "1"), (2, "2"), (0, "annotated")):
            spoken["version"] = version
            self.program("fetch", "--cache", cache, f"{server.url('python-unittest')}?tag={tag}")

    def test_discovery_first_where_git_is_told_so(self):
        server = self.serve(HttpServer, self.repository)
        self.git_configure(f"http.{server.address}/.startpointfsDiscover", "true")
        self.fetch(server.url("python-unittest") + "?tag=1")
        self.assertEqual(["GET", "POST", "POST"], [request.method for request in server.requests])

    def test_a_sha256_repository_of_version_0(self):
        other = self.repositories / "sha256"
        self.call("git", "init", "-q", "--object-format=sha256", other)
        self.call("git", "-C", other, "commit", "-q", "--allow-empty", "-m", "x")
        self.repository.path = other / ".git"
        for server in (self.serve_version_0(), self.serve(GitServer, self.repository, version=0)):
            done = self.program("versions", server.url(), check=False)
            self.assertEqual(3, done.returncode)
            self.assertIn("SHA-256", done.stderr)

    def test_an_empty_repository_of_version_0(self):
        self.repository = self.make_repository("empty")
        server = self.serve_version_0()
        self.assertEqual("", self.versions(server.url("empty")))

    def test_a_damaged_answer_of_version_0(self):
        for damage in (lambda body: body[:-30], lambda body: body.replace(b"PACK", b"PICK")):
            with self.subTest():
                def change(answer, request, damage=damage):
                    if request.method == "POST":
                        answer.body = damage(answer.body)
                    return answer
                for without in ([], [b"side-band-64k", b"side-band"]):
                    server = self.serve_version_0(change, without)
                    done = self.fetch(server.url("python-unittest") + "?tag=1", check=False)
                    self.assertEqual(3, done.returncode)

    def test_refusals_of_git_are_refusals_here(self):
        server = self.serve(HttpServer, self.repository)
        moved = self.serve(HttpServer, self.repository, lambda _, request: Answer(
            302, {"Location": server.address + request.path}))
        self.fetch(moved.url("python-unittest") + "?tag=1")
        self.git_configure("http.followRedirects", "false")
        done = self.fetch(moved.url("python-unittest") + "?tag=1", check=False)
        self.assertIn("http.followRedirects", done.stdout + done.stderr)
        asked = len(server.requests)
        for name, value, env in (("protocol.http.allow", "never", {}), ("protocol.allow", "never", {}),
                                 ("protocol.http.allow", "user", {"GIT_PROTOCOL_FROM_USER": "0"}),
                                 ("protocol.allow", "always", {"GIT_ALLOW_PROTOCOL": "https:ssh"})):
            with self.subTest(name=name, value=value):
                self.git_configure(name, value)
                done = self.fetch(server.url("python-unittest") + "?tag=1", check=False,
                                  env={**self.env, **env})
                self.assertEqual(3, done.returncode)
                self.assertIn("forbids", done.stdout + done.stderr)
                self.call("git", "config", "--file", self.git_config, "--unset-all", name)
        self.assertEqual(asked, len(server.requests))


class Pace(Servers):
    """A server that only keeps the connection alive does not get on."""

    def slow(self, pieces, command):
        """The verb ends by itself, soon after the time that silence may last, and says why."""
        def endless(body):
            yield body
            while True:
                yield from pieces

        def respond(server, request):
            answer = server.true_answer(request)
            if request.command == command:
                begin = packet("packfile\n") if command == "fetch" else packet(f"{'1' * 40} HEAD\n")
                return Answer(headers={"Content-Type": RESULT}, body=slowly(endless(begin), server))
            return answer
        server = self.serve(HttpServer, self.repository, respond)
        done = self.program("fetch", "--cache", self.folder / "cache", server.url("python-unittest") + "?tag=1",
                            check=False, env={**self.env, "GIT_HTTP_LOW_SPEED_TIME": "2"}, timeout=30)
        self.assertEqual(3, done.returncode)
        self.assertIn("little of what it was asked for, for 2 seconds", done.stdout + done.stderr)
        server.stop()

    def test_keep_alives_and_progress(self):
        self.slow([packet(b"\1")], "fetch")
        self.slow([packet(b"\2Counting objects: 1\r")], "fetch")

    def test_a_trickle(self):
        self.slow([b"0", b"4", b"0", b"0", b"\1", *[b"x"] * 1019], "fetch")
        self.slow([b"0", b"f", b"0", b"0", *[b"a"] * 3836], "ls-refs")

    def test_a_mount_says_so(self):
        def respond(server, request):
            answer = server.true_answer(request)
            if request.command == "fetch":
                answer = Answer(headers={"Content-Type": RESULT},
                                body=slowly(forever(packet("packfile\n"), packet(b"\2tick\r")), server))
            return answer
        server = self.serve(HttpServer, self.repository, respond)
        mount = self.mount(server.url("python-unittest") + "?tag=1", options="timeout=2")
        with self.assertRaises(OSError):
            os.listdir(mount / "python-unittest/1")
        eventually_failed(mount)
        self.assertIn("little of what it was asked for", mount.version("python-unittest", "1")["error"])

    def test_a_header_without_end(self):
        def serve(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                connection.sendall(b"x" * 60000)
        server = servers.ThreadedServer.__new__(servers.ThreadedServer)
        server.serve = serve
        server.__init__()
        self.addCleanup(server.stop)
        done = self.program("versions", f"http://127.0.0.1:{server.port}/x", check=False)
        self.assertEqual(3, done.returncode)
        self.assertIn("header is too long", done.stderr)


class Politeness(Servers):
    """A host that wants to be left alone is left alone: all its repositories, whoever asks."""

    def test_each_way_to_say_so(self):
        for answer, waits in ((Answer(429, {"Retry-After": "30"}), "30 seconds"), (Answer(429), "try again later"),
                              (Answer(503, {"Retry-After": "30"}), "30 seconds"),
                              (Answer(403, {"Retry-After": "30"}), "30 seconds"),
                              (Answer(403, {"Content-Type": "text/plain"},
                                      b"You have exceeded a secondary rate limit."), "try again later")):
            with self.subTest(answer):
                server = self.serve(HttpServer, self.repository, lambda *_, answer=answer: answer)
                listed = self.folder / "list"
                listed.write_text("".join(f"{server.url(f'x{number}')}?tag=1\n" for number in range(20)))
                done = self.program("fetch", "--cache", self.folder / "cache", listed, check=False)
                said = done.stdout + done.stderr
                self.assertEqual(3, done.returncode)
                self.assertIn(waits, said)
                self.assertIn("wants to be left alone until", said)
                # Those that were under way already; after the first answer nobody asks any more.
                self.assertLessEqual(len(server.requests), 16)
                server.stop()

    def test_readers_of_what_is_cached_notice_nothing(self):
        polite = {"on": False}

        def respond(server, request):
            return Answer(429, {"Retry-After": "300"}) if polite["on"] else server.true_answer(request)
        server = self.serve(HttpServer, self.repository, respond)
        mount = self.mount(server.url("python-unittest") + "?tag=1", options="refs_ttl=1")
        os.listdir(mount / "python-unittest/1")
        polite["on"] = True
        self.assert_errno(errno.EBUSY, os.listdir, mount / "python-unittest/2")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        asked = len(server.requests)
        for _ in range(3):
            self.assert_errno(errno.EBUSY, os.listdir, mount / "python-unittest/annotated")
        self.assertEqual(asked, len(server.requests))


class Messages(Servers):
    """What people see first, with the cure."""

    def said(self, answer, name="python-unittest"):
        server = self.serve(HttpServer, self.repository, lambda *_: answer)
        done = self.program("versions", server.url(name), check=False)
        self.assertEqual(3, done.returncode, done.stdout)
        return done.stderr

    def test_each(self):
        html = {"Content-Type": "text/html; charset=utf-8"}
        wall = b"<html><head><title>Just a moment...</title>"
        for answer in (Answer(403, html, wall), Answer(200, html, wall)):
            self.assertIn("page against bots", self.said(answer))
        self.assertIn("login page", self.said(Answer(200, html, b"<title>Sign in - Forge</title>")))
        for name in ("x/tree/main", "x/-/tree/main", "x/src/branch/main"):
            self.assertIn("page for browsers", self.said(Answer(404, html, b"<title>404</title>"), name))
            self.assertIn("page for browsers", self.said(Answer(200, html, b"<title>x</title>"), name))
        self.assertIn("want .git at the end", self.said(Answer(404)))
        self.assertNotIn("want .git at the end", self.said(Answer(404), "x.git"))
        self.assertIn("write https://", self.said(Answer(
            400, html, b"<center>The plain HTTP request was sent to HTTPS port</center>")))

    def test_the_other_scheme_s_port(self):
        plain = self.serve(servers.Nginx, self.repositories)
        url = plain.url("python-unittest").replace("http:", "https:")
        self.assertIn("is it a port for http?", self.program("versions", url, check=False).stderr)
        server = self.serve(servers.Nginx, self.repositories, tls=True)
        url = server.url("python-unittest").replace("https:", "http:")
        self.assertIn("write https://", self.program("versions", url, check=False).stderr)


class Logins(Servers):
    def guarded(self, passwords):
        """A server that takes one of these passwords at a time; the list shrinks from its front."""
        def respond(server, request):
            wanted = base64.b64encode(f"me:{passwords[0]}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {wanted}":
                return Answer(401, {"WWW-Authenticate": "Basic realm=x"})
            return server.true_answer(request)
        return self.serve(HttpServer, self.repository, respond)

    def test_askpass(self):
        ask = self.folder / "ask"
        ask.write_text('#!/bin/sh\ncase "$1" in Username*) echo me;; *) echo first;; esac\n')
        ask.chmod(0o755)
        server = self.guarded(["first"])
        self.program("fetch", "--cache", self.folder / "one", server.url() + "?tag=1",
                     env={**self.env, "GIT_ASKPASS": str(ask)})
        self.git_configure("core.askPass", ask)
        self.program("fetch", "--cache", self.folder / "two", server.url() + "?tag=1")

    def test_a_token_that_expires(self):
        """Rejected, then asked for again, within the same request."""
        passwords = ["first", "second"]
        token, log = self.folder / "token", self.folder / "helper.txt"
        token.write_text("first")
        self.git_configure("credential.helper",
                           f"!f() {{ echo $1 >>{log}; test $1 != get || {{ echo username=me; echo password=$(cat {token}); }}; }}; f")
        server = self.guarded(passwords)
        mount = self.mount(server.url("python-unittest") + "?tag=1")
        os.listdir(mount / "python-unittest/1")
        passwords.pop(0)
        token.write_text("second")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/2"))
        self.assertIn("erase\nget\nstore", log.read_text())


class SshVariants(Servers):
    def arguments(self, name, url, **env):
        """What a program of that name is started with."""
        (self.folder / "bin").mkdir(exist_ok=True)
        program = self.folder / "bin" / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{self.folder}/arguments\nexit 1\n')
        program.chmod(0o755)
        self.program("versions", url, check=False, env={**self.env, "GIT_SSH": str(program), **env})
        return (self.folder / "arguments").read_text().splitlines()

    def test_each(self):
        url = "ssh://me@[::1]:77/~anna/x.git"
        self.assertEqual(["-p", "77", "me@::1", "git-upload-pack '~anna/x.git'"], self.arguments("ssh", url)[-4:])
        self.assertIn("SendEnv=GIT_PROTOCOL", self.arguments("ssh", url))
        self.assertEqual(["-P", "77", "me@::1", "git-upload-pack '~anna/x.git'"], self.arguments("plink", url))
        self.assertEqual("-batch", self.arguments("tortoiseplink", url)[0])
        self.assertEqual(["me@::1", "git-upload-pack 'x.git'"],
                         self.arguments("ssh", "me@[::1]:x.git", GIT_SSH_VARIANT="simple"))
        self.git_configure("ssh.variant", "plink")
        self.assertEqual("-P", self.arguments("ssh", url)[0])


def forever(first, again):
    yield first
    while True:
        yield again


def slowly(pieces, server):
    """Five pieces a second, until the server stops."""
    for piece in pieces:
        yield piece
        if server.stopped.wait(0.2):
            return


def eventually_failed(mount):
    servers.eventually(lambda: mount.version("python-unittest", "1")["state"] == "failed", 20, "the failure")


def relength(body):
    """Packets whose content was changed get their right lengths."""
    fixed, first = b"", True
    for line in re.split(rb"(?<=\n)", body):
        head = line[:8] if line.startswith(b"0000") else line[:4]
        if len(line) > 4 and b"\0" in line and first:
            prelude, rest = (b"0000", line[8:]) if head[:4] == b"0000" and len(head) == 8 else (b"", line[4:])
            fixed += prelude + b"%04x" % (len(rest) + 4) + rest
            first = False
        else:
            fixed += line
    return fixed

