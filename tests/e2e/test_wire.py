"""The protocol, byte by byte: against servers that are broken, slow, old or hostile. Every failure
ends soon, has a sentence, and leaves a cache that the next fetch can use."""

import errno
import os
import random
import shutil
import time

from support import wire
from support.case import EndToEnd
from support.processes import PROGRAM, run
from support.repositories import start_point
from support.servers import Nginx
from support.wire import ADVERTISEMENT, RESULT, Answer, GitServer, HttpServer, packet, packets


class Wire(EndToEnd):
    deadline = 120

    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2"])
        self.repository.annotate("annotated", "1")
        self.cache = self.folder / "cache"
        self.slowness = int(os.environ.get("E2E_SLOWNESS", "1"))

    def versions(self, url, **options):
        return self.program("versions", url, **options)

    def fetch(self, url, **options):
        return self.program("fetch", "--cache", self.cache, url, **options)

    def failing(self, verb, url, sentence, status=3, **options):
        """The verb must fail soon and say this; returns all that it says."""
        begun = time.monotonic()
        done = verb(url, check=False, **options)
        self.assertLess(time.monotonic() - begun, 10 * self.slowness)
        said = done.stdout + done.stderr
        self.assertEqual(status, done.returncode, said)
        self.assertIn(sentence, said)
        return said

    def assert_nothing_pinned(self):
        for folder in self.cache.rglob("*.git"):
            refs = self.call("git", "--git-dir", folder, "for-each-ref").stdout
            self.assertEqual("", refs)

    def assert_fetches(self, url):
        """The fetch succeeds, and what is in the cache is the tag's whole tree."""
        self.fetch(url)
        found = [folder for folder in self.cache.rglob("*.git")
                 if self.call("git", "--git-dir", folder, "for-each-ref").stdout]
        self.assertTrue(found)
        for folder in found:
            self.call("git", "--git-dir", folder, "fsck", "--full", "--strict")
        trees = {self.call("git", "--git-dir", folder, "rev-parse", "refs/tags/1^{tree}").stdout
                 for folder in found}
        self.assertEqual({self.repository.id_of("1^{tree}") + "\n"}, trees)

    def serve_http(self, respond=None):
        return self.serve(HttpServer, self.repository, respond)

    def serve_fetch(self, change):
        """True answers, but that to a fetch is change(body): bytes, or an Answer."""
        def respond(server, request):
            answer = server.true_answer(request)
            if request.command == "fetch" and server.hostile:
                changed = change(answer.body)
                return changed if isinstance(changed, Answer) else Answer(
                    headers=answer.headers, body=changed)
            return answer
        server = self.serve_http(respond)
        server.hostile = True
        return server

    def failing_fetch(self, change, sentence, tag="1"):
        """The fetch fails, nothing is pinned; then, from the honest server, it works."""
        server = self.serve_fetch(change)
        said = self.failing(self.fetch, f"{server.url()}?tag={tag}", sentence)
        self.assert_nothing_pinned()
        server.hostile = False
        self.assert_fetches(f"{server.url()}?tag=1")
        server.stop()
        shutil.rmtree(self.cache)
        return said


class Requests(Wire):
    """What is sent."""

    def test_one_post_a_command_on_one_connection(self):
        server = self.serve_http()
        self.assert_fetches(f"{server.url()}?tag=1")
        self.assertEqual(["ls-refs", "fetch"], [request.command for request in server.requests])
        self.assertEqual(1, server.accepted)
        for request in server.requests:
            self.assertEqual("version=2", request.headers["git-protocol"])
            self.assertNotIn("expect", request.headers)
            self.assertIn("gzip", request.headers["accept-encoding"])
            for capability in (b"object-format", b"filter", b"have "):
                self.assertNotIn(capability, request.body)

    def test_the_same_version_is_the_same_request(self):
        bodies = []
        for _ in range(2):
            server = self.serve_http()
            self.assert_fetches(f"{server.url()}?tag=1")
            bodies.append([request.body for request in server.requests])
            server.stop()
            shutil.rmtree(self.cache)
        self.assertEqual(bodies[0], bodies[1])

    def test_git_daemon_is_greeted_and_kept(self):
        server = self.serve(GitServer, self.repository)
        self.assert_fetches(f"{server.url('a%20b')}?tag=1")
        self.assertEqual([b"git-upload-pack /a b\0host=127.0.0.1:%d\0\0version=2\0" % server.port],
                         server.greetings)

    def test_a_connection_that_the_server_has_closed_is_opened_again(self):
        for late in (False, True):
            with self.subTest(late):
                server = self.serve(GitServer, self.repository, commands=1, late=late)
                self.assert_fetches(f"{server.url()}?tag=1")
                self.assertEqual(2, len(server.greetings))
                self.call("rm", "-r", self.cache)

        def respond(http, request):
            answer = http.true_answer(request)
            answer.close = True
            return answer

        server = self.serve_http(respond)
        self.assert_fetches(f"{server.url()}?tag=1")
        self.assertEqual([1, 2], [request.connection for request in server.requests])

    def commit_in_the_history(self):
        """An abbreviated id that no ref names."""
        commit = self.repository.commit(start_point("between"))
        self.repository.commit(start_point("last"))
        return commit[:9]

    def test_capabilities_are_asked_for_once(self):
        server = self.serve_http()
        self.fetch(f"{self.commit_in_the_history()}@{server.url()}")
        self.assertEqual(1, sum(request.method == "GET" for request in server.requests))

    def test_filter_is_only_sent_to_a_server_that_has_it(self):
        commit = self.commit_in_the_history()
        for has_it in (True, False):
            with self.subTest(has_it):
                self.repository.git("config", "uploadpack.allowFilter", str(has_it).lower())
                server = self.serve_http()
                self.fetch(f"{commit}@{server.url()}")
                filtered = any(b"filter tree:0" in request.body for request in server.requests)
                self.assertEqual(has_it, filtered)


class Discovery(Wire):
    """Servers that do not take a POST first."""

    def test_a_server_that_wants_the_get_first(self):
        for status in (400, 403, 404, 405, 500, 501):
            with self.subTest(status):
                greeted = set()

                def respond(server, request, status=status, greeted=greeted):
                    if request.method == "GET":
                        greeted.add(True)
                    return server.true_answer(request) if greeted else Answer(status)

                server = self.serve_http(respond)
                self.assert_fetches(f"{server.url()}?tag=1")
                self.assertEqual(["POST", "GET", "POST", "POST"],
                                 [request.method for request in server.requests])
                server.stop()

    def test_a_server_that_redirects_the_get_alone(self):
        target = self.serve_http()

        def respond(_, request):
            if request.method == "GET":
                return Answer(301, {"Location": target.address + request.path})
            return Answer(404)

        server = self.serve_http(respond)
        self.assert_fetches(f"{server.url()}?tag=1")
        self.assertEqual(["GET", "POST", "POST"], [request.method for request in target.requests])

    def test_a_web_server_without_git(self):
        self.repository.git("update-server-info")

        def dumb(_, request):
            path = self.repository.path / request.path.split("?")[0].removeprefix("/repository/")
            if request.method != "GET" or not path.is_file():
                return Answer(405 if request.method != "GET" else 404)
            return Answer(headers={"Content-Type": "text/plain"}, body=path.read_bytes())

        server = self.serve_http(dumb)
        self.failing(self.versions, server.url(), "dumb http")

    def test_a_sha256_repository(self):
        other = self.repositories / "sha256"
        self.call("git", "init", "-q", "--bare", "--object-format=sha256", other)
        self.repository.path = other
        for server in (self.serve_http(), self.serve(GitServer, self.repository)):
            self.failing(self.versions, server.url(), "SHA-256")

    def test_more_than_is_asked_for_and_a_prelude(self):
        def respond(server, request):
            answer = server.true_answer(request)
            if request.method == "GET":
                answer.body = packet("# service=git-upload-pack\n") + b"0000" + answer.body
            elif request.command == "ls-refs":
                if not any(one.method == "GET" for one in server.requests):
                    return Answer(405)
                answer.body = packet(f"{'1' * 40} refs/pull/1/head\n") + answer.body
            return answer

        server = self.serve_http(respond)
        self.assertNotIn("pull", self.versions(server.url()).stdout)


class Statuses(Wire):
    """HTTP that is not git."""

    def status(self, answer, sentence, **options):
        server = self.serve_http(lambda *_: answer)
        said = self.failing(self.versions, server.url(), sentence, **options)
        server.stop()
        return said

    def test_each(self):
        page = {"Content-Type": "text/html"}
        self.status(Answer(200, page, b"<html>Welcome!</html>"), "text/html")
        self.status(Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}), "user name and password")
        self.status(Answer(401), "user name and password")
        self.status(Answer(403, {"Content-Type": "text/plain"}, b"Pay first.\nmore"), "Pay first.")
        self.status(Answer(404, page, b"<html>"), "404")
        self.status(Answer(410), "410")
        self.status(Answer(418), "418")
        self.status(Answer(429, {"Retry-After": "77"}), "77 seconds")
        self.status(Answer(429), "try again later")
        self.status(Answer(500, page, b"oops"), "500")
        self.status(Answer(503), "503")
        self.status(Answer(200, {"Content-Type": RESULT}), "empty")
        self.status(Answer(204), "204")

    def test_pages_without_end(self):
        def endless():
            while True:
                yield b"<p>more</p>" * 1000

        for status in (200, 404):
            server = self.serve_http(lambda *_, status=status: Answer(
                status, {"Content-Type": "text/html"}, endless()))
            self.failing(self.versions, server.url(), server.url())

    def test_redirects_that_lead_nowhere(self):
        def location(target):
            return lambda server, _: Answer(302, {"Location": target.format(server.address)})

        for target, sentence in (("{}/again", "redirects forever"),
                                 ("file:///etc/passwd", "other than http"),
                                 ("ssh://127.0.0.1/x", "other than http"),
                                 ("ext::sh", "redirect")):
            with self.subTest(target):
                server = self.serve_http(location(target))
                self.failing(self.versions, server.url(), sentence)

    def test_https_does_not_become_http(self):
        plain = self.serve_http()
        server = self.serve(Nginx, self.repositories, tls=True, redirect_to=plain.address)
        self.git_configure("http.sslCAInfo", server.certificate.authority)
        self.failing(self.versions, server.url("x", "moved/301"), "from https to http")
        self.assertEqual([], plain.requests)

    def test_no_header_goes_to_another_host(self):
        target = self.serve_http()
        server = self.serve_http(lambda _, request: Answer(
            307, {"Location": target.address + request.path}))
        self.git_configure("http.extraHeader", "Authorization: Bearer s3cr3t")
        self.git_configure("http.extraHeader", "Private-Token: s3cr3t", add=True)
        self.assert_fetches(f"{server.url()}?tag=1")
        self.assertEqual("Bearer s3cr3t", server.requests[0].headers["authorization"])
        self.assertTrue(target.requests)
        for request in target.requests:
            self.assertNotIn("s3cr3t", str(request.headers))

    def test_no_password_is_ever_said(self):
        def respond(_, request):
            return Answer(401 if "authorization" in request.headers else 302,
                          {"Location": str(server.url()).replace("//", "//me:h1dden@") + "/x",
                           "WWW-Authenticate": "Basic realm=x"})
        server = self.serve_http(respond)
        url = server.url().replace("//", "//somebody:s3cr3t@")
        for verb in (self.versions, self.fetch):
            said = self.failing(verb, url, "user name and password")
            self.assertNotIn("s3cr3t", said)
            self.assertNotIn("h1dden", said)

    def test_a_credential_that_is_refused_is_taken_back(self):
        log = self.folder / "helper.txt"
        self.git_configure("credential.helper",
                           f"!f() {{ echo $1 >>{log}; echo username=me; echo password=wrong; }}; f")
        server = self.serve_http(lambda *_: Answer(401, {"WWW-Authenticate": "Basic realm=x"}))
        said = self.failing(self.versions, server.url(), "user name and password")
        self.assertNotIn("wrong", said)
        self.assertEqual(["get", "erase"], log.read_text().split())
        self.assertEqual(2, len(server.requests))


    def keep_login(self):
        """A helper that knows the password; what it is told goes to that file."""
        log = self.folder / "helper.txt"
        self.git_configure("credential.helper", f"!f() {{ echo $1 >>{log}; cat >>{log}; echo username=me; echo password=s3cr3t; }}; f")
        return log

    @staticmethod
    def wants_login(answer):
        return lambda server, request: answer(server, request) if "authorization" in request.headers else Answer(
            401, {"WWW-Authenticate": "Basic realm=x"})

    def test_a_credential_that_worked_is_kept(self):
        log = self.keep_login()
        server = self.serve_http(self.wants_login(HttpServer.true_answer))
        self.versions(server.url())
        told = log.read_text().split()
        self.assertEqual(["get", "store"], [word for word in told if word in ("get", "store", "erase")])
        self.assertEqual({f"host=127.0.0.1:{server.port}"}, {word for word in told if word.startswith("host=")})
        self.assertIn("password=s3cr3t", told[told.index("store"):])

    def test_what_the_helper_gave_goes_to_no_other_host(self):
        self.keep_login()
        target = self.serve_http()
        server = self.serve_http(self.wants_login(lambda _, request: Answer(
            307, {"Location": target.address + request.path})))
        self.versions(server.url())
        self.assertIn("authorization", server.requests[-1].headers)
        self.assertTrue(target.requests)
        for request in target.requests:
            self.assertNotIn("authorization", request.headers)

    def test_where_a_redirect_leads_is_remembered(self):
        target = self.serve_http()
        server = self.serve_http(lambda _, request: Answer(307, {"Location": target.address + request.path}))
        self.fetch(f"{server.url()}?tag=1")
        self.assertEqual(1, len(server.requests))
        self.assertGreater(len(target.requests), 1)


class Unreachable(Wire):
    def test_a_port_where_nobody_listens(self):
        server = self.serve_http()
        server.stop()
        url = server.url()
        self.failing(self.versions, url, f"127.0.0.1:{server.port}")
        mount = self.mount(f"{url}?tag=1")
        self.assert_errno(errno.EHOSTUNREACH, os.listdir, mount / "repository/1")


class CutOff(Wire):
    """Answers that end too early."""

    def positions(self, body, count=8):
        """0, the last byte, packets' borders, and some places by chance (of a seed that is said)."""
        seed = random.randrange(2**32)
        print("seed", seed)
        borders = [0]
        for one in packets(body):
            borders.append(borders[-1] + len(one))
        borders = borders[:-1]
        chosen = {0, 1, len(body) - 1, borders[-1], borders[len(borders) // 2]}
        chance = random.Random(seed)
        while len(chosen) < min(count, len(body)):
            chosen.add(chance.randrange(len(body)))
        return sorted(chosen)

    def bodies(self, url, verb):
        """A server's true answers to what the verb sends."""
        server = self.serve_http()
        verb(server.url() + url)
        found = {request.command: server.true_answer(request).body for request in server.requests}
        shutil.rmtree(self.cache)
        return found

    def test_http(self):
        for command, body in self.bodies("?tag=1", self.fetch).items():
            for position in self.positions(body):
                # Once the length is right, once it is not said, once it promises more.
                for length in (position, -1, len(body)):
                    with self.subTest(command, position=position, length=length):
                        self.check_cut(command, body[:position], length)

    def check_cut(self, command, body, length):
        def respond(server, request):
            answer = server.true_answer(request)
            if request.command == command:
                answer.body = body
                answer.length = length
            return answer

        server = self.serve_http(respond)
        self.failing(self.fetch, f"{server.url()}?tag=1", server.url())
        self.assert_nothing_pinned()
        server.stop()

    def test_after_a_cut_the_next_fetch_works(self):
        self.failing_fetch(lambda body: body[:-100], "cut off")

    def sent_for(self, verb):
        """How many bytes a whole answer of git daemon has."""
        server = self.serve(GitServer, self.repository)
        verb(f"{server.url()}?tag=1")
        return server.sent

    def test_git_daemon(self):
        listed = self.sent_for(self.versions)
        for cut in sorted({0, 1, 5, listed - 1, *random.sample(range(listed), 6)}):
            with self.subTest(cut=cut):
                server = self.serve(GitServer, self.repository, cut=cut)
                self.failing(self.fetch, f"{server.url()}?tag=1", server.url())
                self.assert_nothing_pinned()

    def test_git_daemon_within_the_pack(self):
        """A second connection gets through: there the listing does not take part of the bytes."""
        whole = self.sent_for(self.fetch)
        shutil.rmtree(self.cache)
        server = self.serve(GitServer, self.repository, cut=whole - 100)
        self.assert_fetches(f"{server.url()}?tag=1")
        self.assertEqual(2, len(server.greetings))


class Lies(Wire):
    """Answers that are whole, and wrong."""

    def test_wrong_lengths(self):
        for wrong in (b"zzzz", b"0003", b"ffff", b"-001"):
            with self.subTest(wrong):
                self.failing_fetch(lambda body, wrong=wrong: wrong + body[4:], "protocol")

    def test_a_length_that_swallows_the_next_packet(self):
        def swallow(body):
            parts = packets(body)
            middle = len(parts) - 2
            parts[middle] = b"%04x" % (len(parts[middle]) + 3) + parts[middle][4:]
            return b"".join(parts)
        self.failing_fetch(swallow, "http")

    def test_damaged_pack(self):
        def damage(body):
            at = body.index(b"PACK") + 40
            return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        self.failing_fetch(damage, "http")

    def pack_of(self, *revisions):
        """An answer with a pack of exactly these objects."""
        objects = "".join(self.repository.id_of(one) + "\n" for one in revisions)
        pack = self.repository.git("pack-objects", "--stdout", input=objects.encode(), text=False)
        return packet("packfile\n") + packet(b"\1" + pack) + b"0000"

    def test_pack_of_another_commit(self):
        self.failing_fetch(lambda _: self.pack_of("2", "2^{tree}"), "http")

    def test_a_tag_that_is_listed_at_another_commit(self):
        def lie(server, request):
            answer = server.true_answer(request)
            if request.command == "ls-refs":
                answer.body = answer.body.replace(f"peeled:{self.repository.id_of('1')}".encode(),
                                                  f"peeled:{self.repository.id_of('2')}".encode())
            return answer
        server = self.serve_http(lie)
        self.failing(self.fetch, f"{server.url()}?tag=annotated", "not the commit that was listed")
        self.assert_nothing_pinned()

    def test_pack_without_the_tree(self):
        self.failing_fetch(lambda _: self.pack_of("1"), "http")

    def test_pack_without_a_file(self):
        self.failing_fetch(lambda _: self.pack_of("1", "1^{tree}"), "http")

    def test_pack_without_objects(self):
        self.failing_fetch(lambda _: self.pack_of(), "http")

    def test_what_is_no_pack(self):
        self.failing_fetch(lambda _: packet("packfile\n") + packet(b"\1<html>") + b"0000", "http")

    def test_no_pack(self):
        for body in (b"0000", packet("packfile\n") + b"0000",
                     packet("shallow-info\n") + b"0000"):
            self.failing_fetch(lambda _, body=body: body, "without a pack")

    def test_more_after_the_end(self):
        self.failing_fetch(lambda body: body + body, "went on after the end")
        self.failing_fetch(lambda body: body + b"000", "cut off")

    def test_errors_in_words(self):
        self.failing_fetch(lambda _: packet("ERR the disk is \033[2Jfull"), "the disk is ?[2Jfull")
        self.failing_fetch(lambda _: packet("packfile\n") + packet(b"\3out of coffee\n"),
                           "out of coffee")

    def test_other_lines_than_refs(self):
        for line in ("garbage", f"{'1' * 39} HEAD", f"{'1' * 40} refs/tags/x peeled:1"):
            server = self.serve_http(lambda server, request, line=line: Answer(
                headers={"Content-Type": RESULT}, body=packet(line) + b"0000")
                if request.method == "POST" else server.true_answer(request))
            self.failing(self.versions, server.url(), "not a ref")

    def test_names_that_may_not_become_folders(self):
        odd = ["../../etc", ".git", "a//b", "x.lock", "a\x07b"]
        body = b"".join(packet(f"{'1' * 40} refs/tags/{name}\n") for name in [*odd, "good"])
        server = self.serve_http(lambda *_: Answer(headers={"Content-Type": RESULT},
                                                   body=body + b"0000"))
        self.assertEqual(["good"], [line.split()[0] for line in
                                    self.versions(server.url()).stdout.splitlines()])


class Endless(Wire):
    """Servers that never stop talking, or never start."""

    def test_endless_progress(self):
        def endless():
            yield packet("packfile\n")
            while True:
                yield packet(b"\2" + b"x" * 60000)
        self.failing_fetch(lambda _: Answer(headers={"Content-Type": RESULT}, body=endless()),
                           "endless")

    def test_endless_listing(self):
        def endless():
            number = 0
            while True:
                yield b"".join(packet(f"{'1' * 40} refs/tags/{number + i}\n") for i in range(1000))
                number += 1000
        server = self.serve_http(lambda *_: Answer(headers={"Content-Type": RESULT},
                                                   body=endless()))
        self.failing(self.versions, server.url(), "more than")

    def test_endless_capabilities(self):
        def respond(_, request):
            def endless():
                yield packet("version 2\n")
                while True:
                    yield packet("what") * 1000
            if request.method == "POST":
                return Answer(405)
            return Answer(headers={"Content-Type": ADVERTISEMENT}, body=endless())
        server = self.serve_http(respond)
        self.failing(self.versions, server.url(), "never end")

    def test_silence(self):
        """Before the answer, and in its middle."""
        env = {**self.env, "GIT_HTTP_LOW_SPEED_TIME": "2"}
        server = self.serve_fetch(lambda body: Answer(headers={"Content-Type": RESULT},
                                                      body=body[:200], length=len(body), hang=True))
        self.failing(self.fetch, f"{server.url()}?tag=1", "sent nothing for 2 seconds", env=env)
        self.assert_nothing_pinned()
        server = self.serve_http(lambda *_: Answer(headers={"Content-Type": RESULT}, length=10,
                                                   hang=True))
        self.git_configure("http.lowSpeedTime", "1")
        self.failing(self.versions, server.url(), "sent nothing for 1 second")


class Slow(Wire):
    """Servers that are slow, and right."""

    def test_one_byte_at_a_time(self):
        server = self.serve_http()
        true_answer = server.true_answer

        def respond(_, request):
            answer = true_answer(request)
            answer.length = len(answer.body)
            answer.body = wire.in_pieces(answer.body, 1)
            return answer

        server.respond = respond
        self.assert_fetches(f"{server.url()}?tag=1")

    def test_one_byte_at_a_time_from_git_daemon(self):
        server = self.serve(GitServer, self.repository, piece=1)
        self.assert_fetches(f"{server.url()}?tag=1")

    def test_50_kilobytes_a_second(self):
        big = random.Random(1).randbytes(150_000)
        self.repository.commit({"big": big}, tag="big")
        server = self.serve_fetch(lambda body: Answer(
            headers={"Content-Type": RESULT}, body=wire.in_pieces(body, 5000, 0.1)))
        begun = time.monotonic()
        # Slower than any one silence may be long, as a whole.
        self.fetch(f"{server.url()}?tag=big", env={**self.env, "GIT_HTTP_LOW_SPEED_TIME": "1"})
        self.assertGreater(time.monotonic() - begun, 2)

    def test_slower_than_git_is_told_to_bear(self):
        self.repository.commit({"big": random.Random(1).randbytes(30_000)}, tag="big")
        server = self.serve_fetch(lambda body: Answer(
            headers={"Content-Type": RESULT}, body=wire.in_pieces(body, 500, 0.2)))
        env = {**self.env, "GIT_HTTP_LOW_SPEED_TIME": "1"}
        self.git_configure("http.lowSpeedLimit", "1000000")
        begun = time.monotonic()
        self.failing(self.fetch, f"{server.url()}?tag=big", "too slow", env=env)
        self.assertLess(time.monotonic() - begun, 6 * self.slowness)

    def test_memory_does_not_grow_with_the_pack(self):
        size = 80_000_000
        self.repository.commit({f"big{i}": random.Random(i).randbytes(size // 4) for i in range(4)},
                               tag="big")
        server = self.serve_http()
        done = run(["/usr/bin/env", "python3", "-c",
                    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
                    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);"
                    "sys.exit(code)",
                    PROGRAM, "fetch", "--cache", self.cache, f"{server.url()}?tag=big"],
                   env=self.env, timeout=120)
        peak = int(done.stdout.split("peak")[1].split()[0])
        self.assertLess(peak, 100_000, "kilobytes")

    test_memory_does_not_grow_with_the_pack.with_sanitizers = False  # they keep more
