"""Builds what is measured, and serves it its pages."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import fixtures

BENCHES = Path(__file__).parent
PROJECT = BENCHES.parent
YYJSON = "4.0.6"  # Debian 12 has none; its C source lies inside the Python binding's
SYSTEM_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
# What has to be there, and the Debian package that brings it.
NEEDS = {
    "gcc": "gcc", "nginx": "nginx", "openssl": "openssl", "strace": "strace", "valgrind": "valgrind",
    "/usr/include/cjson/cJSON.h": "libcjson-dev", "curl-config": "libcurl4-openssl-dev", str(SYSTEM_ROOTS): "ca-certificates",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def command(*argv, **options):
    """Runs a command that has to succeed; what it says is shown only if it does not."""
    argv = [str(a) for a in argv]
    done = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout}")
    return done.stdout


def install_what_is_missing():
    environment = os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"}
    os.environ.update(environment)
    missing = sorted({package for need, package in NEEDS.items() if not (shutil.which(need) or Path(need).exists())})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"benches/run needs these Debian packages: {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    command("apt-get", "update", "-q")
    # Debian starts nginx when it is installed, unless told not to.
    policy = Path("/usr/sbin/policy-rc.d")
    if not policy.exists():
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    else:
        policy = None
    try:
        command("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if policy:
            policy.unlink()


def fetch_yyjson(folder):
    """yyjson.c and yyjson.h, fetched once and never committed."""
    target = folder / f"yyjson-{YYJSON}"
    if not target.exists():
        say(f"fetching yyjson {YYJSON}")
        command(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, f"yyjson=={YYJSON}")
        with tarfile.open(folder / f"yyjson-{YYJSON}.tar.gz") as archive:
            files = {Path(m.name).name: archive.extractfile(m).read() for m in archive if m.name.endswith(("/yyjson.c", "/yyjson.h"))}
        target.mkdir()
        for name, content in files.items():
            (target / name).write_bytes(content)
    return target


class Programs:
    """The programs that are measured, by name, and the library."""

    def __init__(self):
        metadata = json.loads(command("cargo", "metadata", "--format-version", "1", "--no-deps", cwd=PROJECT))
        target = Path(metadata["target_directory"])
        self.folder = target / "bench"
        self.folder.mkdir(parents=True, exist_ok=True)
        say("building the library (dist), the C peers and the floor")
        command("cargo", "rustc", "--profile", "dist", "--lib", "--crate-type", "cdylib", cwd=PROJECT)
        self.library = self.folder / "libkustomer.so.0"
        shutil.copyfile(target / "dist" / "libkustomer.so", self.library)
        command("cargo", "build", "--release", "--target-dir", target, cwd=BENCHES / "floor")
        yyjson = fetch_yyjson(self.folder)
        curl = [BENCHES / "peers/curl.c", "-lcurl"]
        self.paths = {
            "kustomer": self.compile("kustomer", "-I", PROJECT / "include", self.library, f"-Wl,-rpath,{self.folder}"),
            "yyjson": self.compile("curl_yyjson", *curl, "-I", yyjson, yyjson / "yyjson.c"),
            "cjson": self.compile("curl_cjson", *curl, "-lcjson"),
            "floor": target / "release" / "floor",
        }
        self.delay = self.folder / "delay"
        command("gcc", "-O2", "-Wall", "-Wextra", BENCHES / "delay.c", "-o", self.delay)

    def compile(self, name, *more):
        program = self.folder / name
        sources = [BENCHES / "peers" / f"{name}.c", BENCHES / "peers" / "harness.c"]
        command("gcc", "-O2", "-Wall", "-Wextra", "-pthread", *sources, *more, "-o", program)
        return program

    def libcurl_files(self):
        """libcurl and the TLS below it, as the C peer loads them."""
        listed = command("ldd", self.paths["yyjson"])
        found = [line.split()[2] for line in listed.splitlines() if line.strip().startswith(("libcurl.", "libssl.", "libcrypto."))]
        return [Path(file).resolve() for file in found]

    def versions(self):
        def first(*argv):
            return command(*argv).splitlines()[0].strip()

        commit = command("git", "rev-parse", "--short", "HEAD", cwd=PROJECT).strip()
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        return [
            f"libkustomer at {commit}, {first('rustc', '--version')}, profile dist",
            first("curl-config", "--version") + ", " + first("openssl", "version").split(" (")[0],
            f"yyjson {YYJSON}, cJSON {command('dpkg-query', '-W', '-f', '${Version}', 'libcjson-dev')}, {first('gcc', '--version')}, -O2",
            first("nginx", "-v"),
            f"{cpu}, {os.cpu_count()} CPUs, Linux {os.uname().release}",
        ]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


CONFIGURATION = """
daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
    access_log off; default_type application/json; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    root {folder}/pages; open_file_cache max=10000;
    server {{ listen 127.0.0.1:{plain} ssl; {routes} }}
    server {{ listen 127.0.0.1:{gzip} ssl; gzip_static on; {routes} }}
}}
"""
ROUTES = """
    location = /p/v1/chat/settings { rewrite ^ /settings.json break; }
    location = /c/v1/tracking/tokens/current { rewrite ^ /token.json break; }
    location = /c/v1/chat/sessions { rewrite ^ /$arg_pageSize/$arg_page.json break; }
"""


class Service:
    """nginx on loopback, over HTTPS: on one port plain, on another as gzip, and each behind any round trip."""

    def __init__(self, programs, pages):
        self.programs, self.pages = programs, pages
        self.delays = {}
        self.closing = contextlib.ExitStack()
        self.folder = Path(self.closing.enter_context(tempfile.TemporaryDirectory(prefix="kustomer-bench-")))
        self.folder.chmod(0o755)

    def __enter__(self):
        try:
            say("making the pages")
            fixtures.write_all(self.folder / "pages", self.pages)
            self.make_certificates()
            self.ports = {"plain": free_port(), "gzip": free_port()}
            user = "user root;" if os.geteuid() == 0 else ""
            configuration = CONFIGURATION.format(folder=self.folder, user=user, routes=ROUTES, **self.ports)
            (self.folder / "nginx.conf").write_text(configuration)
            self.run(["nginx", "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"])
            self.wait_for(lambda: all(self.answers(port) for port in self.ports.values()), "nginx")
        except BaseException:
            self.closing.close()
            raise
        return self

    def __exit__(self, *_):
        self.closing.close()

    def run(self, argv):
        process = subprocess.Popen([str(a) for a in argv])
        self.closing.callback(process.wait)
        self.closing.callback(process.terminate)

    def wait_for(self, condition, what):
        until = time.monotonic() + 10
        while not condition():
            if time.monotonic() > until:
                sys.exit(f"{what} did not start: {(self.folder / 'error.log').read_text()}")
            time.sleep(0.01)

    @staticmethod
    def answers(port):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    def make_certificates(self):
        """An authority, and a server it vouches for; and the authority among all those of the system."""
        f = self.folder
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command("openssl", "req", "-x509", *key, "-keyout", f / "ca.key", "-out", f / "ca.pem", "-days", "30", "-subj", "/CN=Bench authority",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        command("openssl", "req", "-x509", *key, "-keyout", f / "server.key", "-out", f / "server.pem", "-days", "30", "-subj", "/CN=Bench",
                "-CA", f / "ca.pem", "-CAkey", f / "ca.key", "-addext", "subjectAltName=IP:127.0.0.1",
                "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth")
        (f / "system.pem").write_bytes(SYSTEM_ROOTS.read_bytes() + (f / "ca.pem").read_bytes())

    def arguments(self, coding="plain", round_trip_ms=0, roots="ca.pem"):
        port = self.ports[coding] if round_trip_ms == 0 else self.delayed(coding, round_trip_ms)
        return [f"base_url=https://127.0.0.1:{port}", f"ca_file={self.folder / roots}", f"api_key={fixtures.CHAT_KEY}"]

    def delayed(self, coding, round_trip_ms):
        key = (coding, round_trip_ms)
        if key not in self.delays:
            file = self.folder / f"port-{coding}-{round_trip_ms}"
            self.run([self.programs.delay, file, self.ports[coding], round_trip_ms])
            self.wait_for(lambda: file.exists() and file.read_text().endswith("\n"), "the delay")
            self.delays[key] = int(file.read_text())
        return self.delays[key]

    def expected_rows(self, size, pages):
        with open(self.folder / "pages" / str(size) / "rows.txt", encoding="utf-8") as rows:
            return [row.rstrip("\n") for _, row in zip(range(size * pages), rows)]

    def expected_bytes(self, size, coding, pages):
        ending = {"plain": ".json", "gzip": ".json.gz"}[coding]
        folder = self.folder / "pages" / str(size)
        return sum((folder / f"{n}{ending}").stat().st_size for n in range(1, pages + 1))

    def text_bytes(self, size, pages):
        """How much text the rows have that a reader can ask for."""
        rows = (row.replace("\\n", "\n").split("\t") for row in self.expected_rows(size, pages))
        return sum(len(row[n].encode()) for row in rows for n in fixtures.TEXTS if row[n] != "-")
