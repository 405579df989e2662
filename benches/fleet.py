#!/usr/bin/env python3
"""What ten thousand feeds cost the daemon at rest and when all of them fail, how soon they are all back, and a config of
a hundred thousand.

  benches/fleet.py [--veille target/release/veille] [--feeds 10000] [--seconds 60] [idle] [failing] [recovering] [config]

idle: no feed is due. failing: the first rounds of feeds that all fail, a quarter each by a refused connection, a name
that does not exist, 503 and silence. recovering: once all have failed (refused, 503, silence, a web page), their origins
return. config: `veille check` over ten times as many feeds. Linux alone (/proc).
"""
import argparse, http.server, json, os, pathlib, re, signal, socket, sqlite3, subprocess, tempfile, threading, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--veille", type=pathlib.Path, default=HERE / "target/release/veille")
    parser.add_argument("--feeds", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("what", nargs="*", default=["idle", "failing", "recovering", "config"])
    args = parser.parse_args()
    for what in args.what:
        with tempfile.TemporaryDirectory(prefix="veille-fleet-") as folder:
            {"idle": idle, "failing": failing, "recovering": recovering, "config": config}[what](args, pathlib.Path(folder))


def idle(args, folder):
    path = write_config(folder, [f"http://127.0.{n // 250}.{n % 250 + 1}:9/{n}" for n in range(args.feeds)])
    with Daemon(args.veille, path):
        pass
    database = sqlite3.connect(folder / "data/veille.db")
    with database:
        database.execute("UPDATE feeds SET next_check_at = ?", [int((time.time() + 86_400) * 1000)])
    database.close()
    with Daemon(args.veille, path) as daemon:
        time.sleep(10)
        cpu_s = daemon.cpu_s_over(args.seconds)
        print(f"idle: {args.feeds} feeds, ready in {daemon.ready_s:.1f} s, {daemon.rss_mb():.0f} MB (goal: under 100), "
              f"{100 * cpu_s / args.seconds:.2f} % of a core (goal: under 1)")
    print(f"idle: stopped in {daemon.stopped_s:.1f} s")


def failing(args, folder):
    busy, silent = Origin(), socket.create_server(("127.0.0.1", 0), backlog=4096)
    kinds = [lambda n: f"http://127.0.{n // 250 % 250}.{n % 250 + 1}:9/{n}", lambda n: f"http://host-{n}.invalid/feed",
             lambda n: f"http://127.1.{n // 250 % 250}.{n % 250 + 1}:{busy.server_address[1]}/1/{n}",
             lambda n: f"http://127.0.0.1:{silent.getsockname()[1]}/{n}"]
    path = write_config(folder, [kinds[n % 4](n) for n in range(args.feeds)])
    with Daemon(args.veille, path) as daemon:
        time.sleep(10)
        before = len(daemon.log)
        waits = []
        reader = threading.Thread(target=read_pages, args=(daemon.address, args.seconds, waits))
        reader.start()
        cpu_s = daemon.cpu_s_over(args.seconds)
        reader.join()
        lines = len(daemon.log) - before
        failed = json.loads(fetch(daemon.address, "/api/v1/status"))
        waits.sort()
        print(f"failing: {args.feeds} feeds, ready in {daemon.ready_s:.1f} s (goal: under 5), {daemon.rss_mb():.0f} MB (goal: 256), "
              f"{100 * cpu_s / args.seconds:.2f} % of a core with pages read (goal: under 5), {lines / args.seconds:.2f} log lines/s (goal: 1), "
              f"page p99 {1000 * waits[int(len(waits) * .99)]:.0f} ms (goal: 250), {failed.get('feeds_failing')} failing by then")
    print(f"failing: stopped in {daemon.stopped_s:.1f} s (goal: under 5)")
    busy.shutdown()


# The longest pause between two visits to a failing feed.
CAP_S = 300


def recovering(args, folder):
    refused, origin = socket.socket(), Origin()
    refused.bind(("0.0.0.0", 0))
    port = lambda n: refused.getsockname()[1] if n % 4 == 0 else origin.server_address[1]
    urls = [f"http://127.{n // 62_500 + 1}.{n // 250 % 250}.{n % 250 + 1}:{port(n)}/{n % 4}/{n}" for n in range(args.feeds)]
    path = write_config(folder, urls, f'interval = "1m"\nmin_interval = "30s"\nmax_interval = "{CAP_S}s"\ntimeout = "2s"\n')
    with Daemon(args.veille, path) as daemon:
        database = sqlite3.connect(f"file:{folder}/data/veille.db?mode=ro", uri=True)
        ask = lambda sql: database.execute(f"SELECT count(*) FROM feeds WHERE {sql}").fetchone()[0]
        began = wait_for(lambda: ask("failure_count > 0") == args.feeds)
        origin.is_well.set()
        # Nobody listened there, so nobody could connect.
        threading.Thread(target=Origin.on(refused, origin.is_well).serve_forever, daemon=True).start()
        returned = wait_for(lambda: ask("failure_count > 0") == 0)
        rows = database.execute("SELECT count(*) FROM items").fetchone()[0]
        print(f"recovering: {args.feeds} feeds had all failed after {began:.0f} s and were all back {returned:.0f} s after their "
              f"origins (goal: one cap, {CAP_S} s, and a round of visits), {rows} items stored of {args.feeds}, {daemon.rss_mb():.0f} MB")
        database.close()


def wait_for(condition, most_s=1800):
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < most_s, "it never came true"
        time.sleep(1)
    return time.monotonic() - started


def config(args, folder):
    path = write_config(folder, [f"https://host-{n % 5000}.test/feeds/{n}.xml" for n in range(10 * args.feeds)])
    started = time.monotonic()
    subprocess.run([args.veille, "--config", path, "check"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"config: {10 * args.feeds} feeds checked in {time.monotonic() - started:.2f} s")


def write_config(folder, urls, fetch=""):
    (folder / "data").mkdir()
    path = folder / "veille.toml"
    path.write_text('include = ["feeds.toml"]\n[service]\ndata_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n'
                    '[fetch]\nallow_private_addresses = true\n' + fetch)
    (folder / "feeds.toml").write_text("".join(f'[[feeds]]\nurl = "{url}"\n' for url in urls))
    return path


class Daemon:
    def __init__(self, veille, path):
        self.command = [veille, "--config", path, "run"]

    def __enter__(self):
        started = time.monotonic()
        self.log, self.address = [], None
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        ready = threading.Event()
        threading.Thread(target=self.read_log, args=(ready,), daemon=True).start()
        assert ready.wait(120), f"not ready after two minutes: {self.log[-5:]}"
        self.ready_s = time.monotonic() - started
        return self

    def read_log(self, ready):
        for line in self.process.stdout:
            self.log.append(line)
            found = re.search(r"127\.0\.0\.1:(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", line)) if not ready.is_set() else None
            if found and "watching" in line:
                self.address = f"http://127.0.0.1:{found[1]}"
                ready.set()

    def __exit__(self, *_):
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log[-5:]
        self.stopped_s = time.monotonic() - started

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def cpu_s_over(self, seconds):
        before = self.cpu_s()
        time.sleep(seconds)
        return self.cpu_s() - before

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def read_pages(address, seconds, waits):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        fetch(address, "/")
        waits.append(time.monotonic() - started)
        time.sleep(1)


def fetch(address, path):
    with urllib.request.urlopen(address + path, timeout=30) as answer:
        return answer.read()


class Origin(http.server.ThreadingHTTPServer):
    """Fails until it is well, by the path: `/1/…` is 503, `/2/…` silence, any other a web page."""
    daemon_threads = True
    request_queue_size = 4096

    def __init__(self, address=("0.0.0.0", 0), bind=True):
        super().__init__(address, self.Handler, bind)
        self.is_well = threading.Event()
        if bind:
            threading.Thread(target=self.serve_forever, daemon=True).start()

    @classmethod
    def on(cls, bound, is_well):
        """A server on a socket that is bound already."""
        server = cls(bound.getsockname(), bind=False)
        server.socket.close()
        server.socket, server.is_well = bound, is_well
        server.server_activate()
        return server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, well = self.path[1], self.server.is_well.is_set()
            if not well and kind == "2":
                time.sleep(5)
                return
            body = b"<!DOCTYPE html><title>Maintenance</title>"
            if well:
                body = (f'<rss version="2.0"><channel><title>A feed</title><link>http://a.test/</link><item><title>News of '
                        f'{self.path}</title><guid isPermaLink="false">{self.path}</guid></item></channel></rss>').encode()
            self.send_response(200 if well or kind != "1" else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


if __name__ == "__main__":
    main()
