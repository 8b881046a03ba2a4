"""A folder served by nginx as people set it up for static files: to compare with."""

import os
import re

from . import servers


class StaticNginx(servers.Server):
    """`folder`/files over HTTP, kept-alive, by as many processes as there are processors."""

    _TEXT = """
daemon off; master_process on; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/server.log; {user}
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off; sendfile on; tcp_nopush on; open_file_cache max=100; keepalive_requests 1000000;
    default_type application/json;
    client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi; proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""

    def __init__(self, folder, env, files):
        super().__init__(folder, env)
        (self.folder / "files").mkdir()
        for name, text in files.items():
            (self.folder / "files" / name).write_text(text)
        self.port = self.start_on_port(self._command)

    def _command(self, port):
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(self._TEXT.format(folder=self.folder, port=port, user=user))
        return ["/usr/sbin/nginx", "-e", self.folder / "server.log", "-p", self.folder, "-c", self.folder / "nginx.conf"]


def requests_a_second(test, port, path, seconds, connections=32):
    """What wrk gets."""
    shown = test.call("wrk", "-t2", f"-c{connections}", f"-d{seconds}", f"http://127.0.0.1:{port}/{path}",
                      timeout=seconds + 30).stdout
    test.assertNotIn("Non-2xx", shown)
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", shown)[1])
