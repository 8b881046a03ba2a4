"""The same tree by every way that git has: path, file, git, http, https, ssh."""

import errno
import json
import os
import pathlib

from support import servers, trees
from support.case import EndToEnd


class Transports(EndToEnd):
    def setUp(self):
        super().setUp()
        self.repository = self.make_start_point(tags=["1", "2", "3", "4"])
        self.repository.annotate("annotated", "1")
        self.expected = self.repository.clone("annotated", self.folder / "clone")

    def check(self, url, depth_1=True, **options):
        mount = self.mount(url, **options)
        shown = os.listdir(mount / "python-unittest")
        self.assertLessEqual({"1", "2", "3", "4", "annotated", "master"}, set(shown))
        if depth_1:
            os.listdir(mount / "python-unittest/3")
            (shallow,) = mount.cache.rglob("shallow")
            counted = self.call("git", "--git-dir", shallow.parent, "rev-list", "--count", "3").stdout
            self.assertEqual("1", counted.strip())
        trees.compare(self, mount / "python-unittest/annotated", self.expected)
        self.assertIn(":2", (mount / "python-unittest/2/manifest.json").read_text())
        self.assertIn(":4", (mount / "python-unittest/master/manifest.json").read_text())
        old = self.repository.id_of("1")
        for name in (old, old[:7]):
            self.assertIn(":1", (mount / "python-unittest" / name / "manifest.json").read_text())
        self.assert_errno(errno.ENOENT, os.listdir, mount / "python-unittest/unknown")
        return mount

    def test_path(self):
        self.check(str(self.repository.path), depth_1=False)

    def test_file(self):
        self.check(self.repository.file_url, depth_1=False)

    def test_git_daemon(self):
        self.check(self.serve(servers.GitDaemon, self.repositories).url("python-unittest"))

    def test_http(self):
        self.check(self.serve(servers.Nginx, self.repositories).url("python-unittest"))

    def test_https_with_a_private_authority(self):
        server = self.serve(servers.Nginx, self.repositories, tls=True)
        distrusting = self.mount(server.url("python-unittest") + "?tag=1")
        with self.assertRaises(OSError) as failure:
            os.listdir(distrusting / "python-unittest/1")
        self.assertNotEqual(errno.ENOENT, failure.exception.errno)
        self.assertIn("certificate", distrusting.version("python-unittest", "1")["error"])
        distrusting.unmount()
        pathlib.Path(self.env["HOME"], "authority").symlink_to(server.certificate.authority)
        self.git_configure("http.sslCAInfo", "~/authority")
        self.check(server.url("python-unittest"))

    def test_https_without_verification(self):
        server = self.serve(servers.Nginx, self.repositories, tls=True)
        self.git_configure("http.sslVerify", "false")
        self.check(server.url("python-unittest"))

    def test_basic_authentication_from_the_url(self):
        server = self.serve(servers.Nginx, self.repositories)
        url = server.url("python-unittest", "private")
        refused = self.mount(url + "?tag=1")
        self.assert_errno(errno.EACCES, os.listdir, refused / "python-unittest/1")
        refused.unmount()
        self.check(url.replace("//", f"//{server.USER}:{server.PASSWORD}@"))
        wrong = self.mount(url.replace("//", f"//{server.USER}:wrong@") + "?tag=1",
                           cache=self.folder / "other")
        self.assert_errno(errno.EACCES, os.listdir, wrong / "python-unittest/1")

    def test_basic_authentication_from_netrc(self):
        server = self.serve(servers.Nginx, self.repositories)
        netrc = self.folder / "home" / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login {server.USER} password {server.PASSWORD}\n")
        netrc.chmod(0o600)
        self.check(server.url("python-unittest", "private"))

    def test_basic_authentication_from_a_credential_helper(self):
        server = self.serve(servers.Nginx, self.repositories)
        self.git_configure("credential.helper",
                           f"!f() {{ echo username={server.USER}; echo password={server.PASSWORD}; }}; f")
        self.check(server.url("python-unittest", "private"))

    def test_redirects(self):
        server = self.serve(servers.Nginx, self.repositories)
        for status in (301, 302, 307, 308):
            with self.subTest(status):
                mount = self.check(server.url("python-unittest", f"moved/{status}"),
                                   cache=self.folder / f"cache{status}")
                mount.unmount()

    def test_credentials_do_not_follow_a_redirect_to_another_host(self):
        target = self.serve(servers.Nginx, self.repositories)
        # Another name of this host is another host to an HTTP client.
        server = self.serve(servers.Nginx, self.repositories,
                            redirect_to=f"http://localhost:{target.port}")
        url = server.url("python-unittest", "moved/307").replace("//", "//me:s3cr3t@")
        mount = self.mount(url + "?tag=1")
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))
        self.assertTrue(target.requests())
        for request in target.requests():
            self.assertEqual("", request["authorization"])

    def test_a_proxy(self):
        for tls in (False, True):
            with self.subTest(tls=tls):
                server = self.serve(servers.Nginx, self.repositories, tls=tls)
                proxy = self.serve(servers.ForwardProxy)
                self.git_configure("http.proxy", proxy.address)
                if tls:
                    self.git_configure("http.sslCAInfo", server.certificate.authority)
                self.check(server.url("python-unittest"), cache=self.folder / f"cache{tls}")
                self.assertTrue(proxy.targets)

    def test_extra_headers(self):
        server = self.serve(servers.Nginx, self.repositories)
        self.git_configure("http.extraHeader", "X-Extra: one more")
        self.check(server.url("python-unittest"))
        self.assertEqual({"one more"}, {request["extra"] for request in server.requests()})
        # An empty one drops those before it. Another server, since nginx notes a request a moment after its answer.
        server = self.serve(servers.Nginx, self.repositories)
        for value in ("", "X-Extra: another"):
            self.git_configure("http.extraHeader", value, add=True)
        self.program("versions", server.url("python-unittest"))
        self.assertEqual({"another"}, {request["extra"] for request in server.requests()})

    def test_ssh(self):
        server = self.serve(servers.Sshd, self.repositories)
        self.git_configure("core.sshCommand", server.command)
        self.check(server.url("python-unittest"))

    def test_ssh_by_the_environment(self):
        server = self.serve(servers.Sshd, self.repositories)
        mount = self.mount(server.url("python-unittest"), env={"GIT_SSH_COMMAND": server.command})
        self.assertIn("manifest.json", os.listdir(mount / "python-unittest/1"))

    def test_instead_of_the_longest_match(self):
        server = self.serve(servers.Nginx, self.repositories)
        self.git_configure("url.http://127.0.0.1:1/.insteadOf", "https://example.org/")
        self.git_configure(f"url.{server.address}/git/.insteadOf", "https://example.org/start-points/")
        mount = self.check("https://example.org/start-points/python-unittest")
        self.assertEqual("https://example.org/start-points/python-unittest",
                         mount.repository("python-unittest")["url"])

    def test_a_missing_repository(self):
        http = self.serve(servers.Nginx, self.repositories)
        daemon = self.serve(servers.GitDaemon, self.repositories)
        mount = self.mount(http.url("no-http") + "?tag=1", daemon.url("no-git") + "?tag=1",
                           f"{self.repositories}/no-path?tag=1")
        for name in ("no-http", "no-git", "no-path"):
            with self.subTest(name):
                with self.assertRaises(OSError):
                    os.listdir(mount / name / "1")
                self.assertIn(name, mount.version(name, "1")["error"])


class Verbs(EndToEnd):
    """versions and fetch."""

    def test_versions_in_version_order(self):
        repository = self.make_start_point(tags=["3.7.4-18", "3.7.4-9", "3.10.0-1", "3.7.3-2"])
        repository.annotate("3.7.4-19", "3.7.4-9")
        found = [(tag, repository.id_of(f"{tag}^0")) for tag in ("3.7.3-2", "3.7.4-9", "3.7.4-18", "3.7.4-19", "3.10.0-1")]
        self.assertEqual("".join(f"{tag}\t{commit}\n" for tag, commit in found), self.program("versions", repository.path).stdout)
        self.assertEqual([{"name": tag, "commit": commit} for tag, commit in found],
                         json.loads(self.program("versions", "--json", repository.path).stdout))

    def test_versions_exit_codes(self):
        repository = self.make_start_point(tags=["1"])
        cache = ["--cache", self.folder / "cache"]
        said = self.refused("versions", "--offline", *cache, repository.path, status=3)
        self.assertEqual(f"startpointfs: {repository.path} has never been listed, and --offline forbids asking\n", said)
        for _ in range(2):
            for name in ("1", "master"):
                self.assertEqual(f"{name}\t{repository.id_of('1')}\n",
                                 self.program("versions", *cache, f"{repository.path}?tag={name}").stdout)
            self.assertEqual(f"startpointfs: {repository.path} has no tag or branch 9\n",
                             self.refused("versions", *cache, f"{repository.path}?tag=9", status=2))
            cache = ["--offline", "--cache", self.folder / "cache"]
        done = self.program("versions", "--json", *cache, f"{repository.path}?tag=9", check=False)
        self.assertEqual((2, "[]\n"), (done.returncode, done.stdout))
        refused = f"http://127.0.0.1:{servers.free_port()}/x"
        self.assertIn(refused, self.refused("versions", refused, status=3))

    def test_fetch_warms_the_cache(self):
        for name in ("one", "two", "three"):
            self.make_start_point(name, tags=["1", "2"])
        listed = self.folder / "list"
        listed.write_text("".join(f"./repositories/{name}?tag={tag}\n" for name in ("one", "two")
                                  for tag in "12"))
        cache = self.folder / "cache"
        for counted in ("5 fetched, 0 already", "0 fetched, 5 already"):
            self.assertEqual(f"5 versions: {counted} in the cache, 0 failed\n",
                             self.program("fetch", "--cache", cache, listed, f"{self.repositories}/three").stdout)
        done = self.program("fetch", "--quiet", "--cache", cache, listed)
        self.assertEqual(("", ""), (done.stdout, done.stderr))
        done = self.program("fetch", "--offline", "--cache", cache, f"{self.repositories}/one?tag=1")
        self.assertEqual("1 version: 0 fetched, 1 already in the cache, 0 failed\n", done.stdout)
        self.assertEqual("[1/1] one/1: already in the cache\n", done.stderr)
        self.repositories.rename(self.folder / "gone")
        mount = self.mount(listed, f"{self.repositories}/three", options="offline", cache=cache)
        for path in ("one/1", "one/2", "two/1", "two/2", "three/master"):
            self.assertIn("manifest.json", os.listdir(mount / path))

    def test_fetch_says_what_failed_and_ends_with_3(self):
        self.make_start_point("good", tags=["1"])
        cache = self.folder / "cache"
        refused = f"http://127.0.0.1:{servers.free_port()}/refused"
        done = self.program("fetch", "--cache", cache, f"{self.repositories}/good?tag=1",
                            f"{self.repositories}/good?tag=missing", f"{refused}?tag=1", check=False)
        self.assertEqual(3, done.returncode)
        self.assertEqual("3 versions: 1 fetched, 0 already in the cache, 2 failed\n", done.stdout)
        failures = [line for line in done.stderr.splitlines() if line.startswith("startpointfs: ")]
        self.assertEqual(2, len(failures), done.stderr)
        self.assertRegex(failures[0], rf"^startpointfs: {self.repositories}/good\?tag=missing: .*missing")
        # The URL, which the sentence begins with, once.
        self.assertTrue(failures[1].startswith(f"startpointfs: {refused}?tag=1: "), failures)
        self.assertEqual(1, failures[1].count(refused))
        mount = self.mount(f"{self.repositories}/good?tag=1", options="offline", cache=cache)
        self.assertIn("manifest.json", os.listdir(mount / "good/1"))
