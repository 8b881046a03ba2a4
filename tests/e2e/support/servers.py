"""Git servers on free ports of 127.0.0.1: the ones people run (nginx with git-http-backend, git
daemon, sshd), and ones that no one wants to meet.

Each is started in its constructor, is ready when that returns, and ends with stop().
"""

import contextlib
import json
import os
import pathlib
import pwd
import random
import re
import select
import shutil
import socket
import subprocess
import sys
import threading

from . import certificates
from .processes import eventually, run, slowness, stop

_HTTP_BACKEND = "/usr/lib/git-core/git-http-backend"


def free_port():
    """A port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def _answers(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Server:
    """A server that is a process; its output goes to a log in its folder."""

    def __init__(self, folder, env):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.env = env
        self.processes = []

    def start(self, *command, env=None):
        with open(self.folder / "server.log", "ab") as log:
            # It ends with the test, however that ends; and is found by where it works.
            process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *(str(part) for part in command)],
                                       env=env or self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       cwd=self.folder, start_new_session=True)
        self.processes.append(process)
        return process

    def start_on_port(self, make_command):
        """Starts make_command(port); once more with another port where that one was just taken."""
        for _ in range(5):
            port = free_port()
            process = self.start(*make_command(port))
            eventually(lambda: _answers(port) or process.poll() is not None, 10 * slowness(), make_command)
            if process.poll() is None:
                return port
            self.processes.remove(process)
        raise AssertionError("no server: " + self.log())

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def stop(self):
        while self.processes:
            stop(self.processes.pop())


class GitDaemon(Server):
    """git://, for all repositories below a folder."""

    def __init__(self, folder, env, repositories):
        super().__init__(folder, env)
        self.repositories = repositories
        self.port = self.start_on_port(self._command)

    def _command(self, port):
        return ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}",
                f"--base-path={self.repositories}", "--export-all", "--log-destination=stderr",
                "--verbose", self.repositories]

    def url(self, name):
        return f"git://127.0.0.1:{self.port}/{name}"


_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/server.log;
{user}
events {{ worker_connections 512; }}
http {{
    log_format requests escape=json '{{"method":"$request_method","uri":"$request_uri",'
        '"status":$status,"bytes":$body_bytes_sent,"connection":$connection,'
        '"http":"$server_protocol","git_protocol":"$http_git_protocol","user":"$remote_user",'
        '"authorization":"$http_authorization","extra":"$http_x_extra","body":"$request_body"}}';
    access_log {folder}/requests.log requests;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port} {tls};
        {certificate}
        location ~ ^/git(?<repository>/.*)$ {{ {backend} }}
        location ~ ^/private(?<repository>/.*)$ {{
            auth_basic "the test's realm";
            auth_basic_user_file {folder}/passwords;
            {backend}
        }}
        location ~ ^/moved/(?<code>30[12378])(?<repository>/.*)$ {{
            if ($code = 301) {{ return 301 {base}/git$repository$is_args$args; }}
            if ($code = 302) {{ return 302 {base}/git$repository$is_args$args; }}
            if ($code = 303) {{ return 303 {base}/git$repository$is_args$args; }}
            if ($code = 307) {{ return 307 {base}/git$repository$is_args$args; }}
            return 308 {base}/git$repository$is_args$args;
        }}
        location / {{ return 404; }}
    }}
}}
"""

_BACKEND = """
            fastcgi_pass unix:{folder}/fcgiwrap;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SCRIPT_FILENAME {program};
            fastcgi_param GIT_PROJECT_ROOT {repositories};
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            {git_protocol}
            fastcgi_param PATH_INFO $repository;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
"""


class Nginx(Server):
    """http:// or https:// as people serve git with it. Repositories stand below /git/; below
    /private/ for USER with PASSWORD only; below /moved/30X/ is a redirect to /git/ with that status.
    """

    USER = "somebody"
    PASSWORD = "open-sesame"

    def __init__(self, folder, env, repositories, tls=False, redirect_to="", git_protocol=True):
        super().__init__(folder, env)
        self.tls = tls
        self.certificate = certificates.make(self.folder, env) if tls else None
        (self.folder / "passwords").write_text(f"{self.USER}:{{PLAIN}}{self.PASSWORD}\n")
        self.settings = {"repositories": repositories, "redirect_to": redirect_to,
                         # nginx hands each header on by itself, as HTTP_...
                         "git_protocol": "fastcgi_param GIT_PROTOCOL $http_git_protocol;" if git_protocol
                                         else 'fastcgi_param HTTP_GIT_PROTOCOL "";'}
        self._start_backend()
        self.port = self.start_on_port(self._command)

    def _start_backend(self):
        socket_path = self.folder / "fcgiwrap"
        socket_path.unlink(missing_ok=True)
        # Of itself it would end without its children.
        self.start("sh", "-c", 'trap "trap - TERM; kill 0" TERM; "$@" & wait', "sh",
                   "/usr/sbin/fcgiwrap", "-f", "-c", "4", "-s", f"unix:{socket_path}")
        eventually(socket_path.exists, 10, "fcgiwrap's socket")

    def start_again(self):
        """After stop(), on the same port."""
        self._start_backend()
        self.start(*self._command(self.port))
        eventually(lambda: _answers(self.port), 10, "nginx")

    def _command(self, port):
        names = {"folder": self.folder, "port": port, "program": _HTTP_BACKEND,
                 "repositories": self.settings["repositories"],
                 "git_protocol": self.settings["git_protocol"],
                 "user": "user root;" if os.geteuid() == 0 else "",
                 "base": self.settings["redirect_to"], "tls": "", "certificate": ""}
        if self.tls:
            names["tls"] = "ssl http2"
            names["certificate"] = (f"ssl_certificate {self.certificate.chain}; "
                                    f"ssl_certificate_key {self.certificate.key};")
        names["backend"] = _BACKEND.format(**names)
        (self.folder / "nginx.conf").write_text(_NGINX.format(**names))
        return ["/usr/sbin/nginx", "-e", self.folder / "server.log", "-p", self.folder, "-c",
                self.folder / "nginx.conf"]

    @property
    def address(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def url(self, name, place="git"):
        return f"{self.address}/{place}/{name}"

    def requests(self):
        """All requests up to now, as dictionaries, oldest first. nginx logs a request when its
        answer is complete."""
        try:
            text = (self.folder / "requests.log").read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]


class Sshd(Server):
    """ssh:// to the real sshd, with keys made for the test. `command` is what core.sshCommand or
    GIT_SSH_COMMAND must be to reach it."""

    def __init__(self, folder, env, repositories, git_protocol=True):
        super().__init__(folder, env)
        self.repositories = pathlib.Path(repositories)
        self.accept = "AcceptEnv GIT_PROTOCOL" if git_protocol else "AcceptEnv LANG LC_*"
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for name in ("host", "user"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], env=env)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        self.port = self.start_on_port(self._command)
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        (self.folder / "client.conf").write_text(
            f"Host *\n  IdentityFile {self.folder}/user\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known\n  StrictHostKeyChecking yes\n")
        self.command = f"ssh -F {self.folder}/client.conf"

    def _command(self, port):
        (self.folder / "sshd.conf").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {self.folder}/host\n"
            f"PidFile {self.folder}/sshd.pid\nAuthorizedKeysFile {self.folder}/authorized\n"
            "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"UsePAM no\nPermitRootLogin yes\n{self.accept}\n"
            # Another HOME: what this user's shell does at its start is not the test's.
            f"SetEnv HOME={self.folder} E2E_FOLDER={self.env['E2E_FOLDER']} GIT_CONFIG_GLOBAL={self.env['GIT_CONFIG_GLOBAL']}\n")
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd.conf"]

    @property
    def user(self):
        return pwd.getpwuid(os.geteuid()).pw_name

    def url(self, name):
        return f"ssh://{self.user}@127.0.0.1:{self.port}{self.repositories}/{name}"

    def connections(self):
        return self.log().count("Accepted publickey")


class DelayProxy(Server):
    """Stands before another server, and makes it `rtt` milliseconds far."""

    def __init__(self, folder, env, target, rtt):
        super().__init__(folder, env)
        self.target = target
        self.start(sys.executable, pathlib.Path(__file__).parents[1] / "delay_proxy.py", rtt,
                   target.port)
        found = eventually(lambda: re.search(r"^listening (\d+)$", self.log(), re.MULTILINE), 10,
                           "the delaying proxy")
        self.port = int(found[1])

    def url(self, name):
        return self.target.url(name).replace(f":{self.target.port}/", f":{self.port}/")

    def bytes_received(self):
        """By clients, on the connections that have ended."""
        return sum(int(down) for down in re.findall(r"^closed \d+ (\d+)$", self.log(), re.MULTILINE))


class ThreadedServer:
    """A server inside the test: one thread that accepts, one for each connection."""

    host = "127.0.0.1"

    def __init__(self):
        self.listener = socket.create_server((self.host, 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.connections = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            self.serve(connection)

    def serve(self, connection):
        raise NotImplementedError

    def stop(self):
        # shutdown wakes the thread that accepts; close alone would not.
        for one in [self.listener, *self.connections]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.thread.join(5)


class SilentServer(ThreadedServer):
    """Accepts, reads, and never answers."""

    def serve(self, connection):
        while connection.recv(65536):
            pass

    def url(self, name, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}/{name}"


class ResettingServer(ThreadedServer):
    """Accepts, and ends the connection at once."""

    def serve(self, connection):
        pass


class ForwardProxy(ThreadedServer):
    """An HTTP proxy as companies have them: CONNECT for https, whole URLs for http. Counts what it
    was asked for in `targets`."""

    def __init__(self):
        self.targets = []
        super().__init__()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65536)
            if not received:
                return
            head += received
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.split(b" ")
        self.targets.append((method.decode(), target.decode()))
        if method == b"CONNECT":
            host, _, port = target.rpartition(b":")
            first = b""
        else:
            place, _, path = target.removeprefix(b"http://").partition(b"/")
            host, _, port = place.rpartition(b":")
            # One request a connection, so that each one is seen.
            headers, _, body = rest.partition(b"\r\n\r\n")
            headers = b"\r\n".join(header for header in headers.split(b"\r\n") if not
                                  header.lower().startswith((b"connection:", b"proxy-")))
            first = b"%s /%s %s\r\nConnection: close\r\n%s\r\n\r\n%s" % (
                method, path, version, headers, body)
        with socket.create_connection((host.decode(), int(port)), 10) as server:
            self.connections.append(server)
            if method == b"CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            server.sendall(first)
            self._copy(connection, server)

    @staticmethod
    def _copy(client, server):
        open_ends = {client: server, server: client}
        while open_ends:
            for source in select.select(list(open_ends), [], [])[0]:
                received = source.recv(65536)
                if received:
                    open_ends[source].sendall(received)
                elif source is server:
                    return
                else:
                    open_ends.pop(source).shutdown(socket.SHUT_WR)
