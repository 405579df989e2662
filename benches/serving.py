#!/usr/bin/env python3
"""One digest under wrk, plain, gzipped and as a 304, beside nginx with the same bytes as a file, in one run.

  benches/serving.py --bench BENCH [--veille target/release/veille] [--seconds 60] [--feeds 1000]

BENCH is the folder that holds farm/run.sh (feeds on 250 loopback addresses); wrk, nginx and curl are needed. Three
states of the daemon are measured: at rest; while all feeds are polled once a minute; and while all of them are polled
for the first time, each item new. nginx serves the file in each state, so that both see the same machine. What is
asked of the figures is printed beside them, and what is missed is marked.
"""
import argparse, gzip, json, os, pathlib, re, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time
import urllib.request

import farm

GOALS = {"ratio": 0.5, "p99_ms": 25.0}
PORTS = {"veille": 8791, "nginx": 8792}
DIGEST = "digests/all.atom"
KINDS = {"plain": {}, "gzip": {"Accept-Encoding": "gzip"}, "304": {}}


def main():
    args = arguments()
    env = dict(os.environ, FARM_TMP=str(args.tmp / "farm"), FARM_PORT=str(args.farm_port))
    subprocess.run(["bash", args.bench / "farm/run.sh", "start", str(args.feeds)], check=True, env=env)
    found = {}
    try:
        work = args.tmp / "work"
        shutil.rmtree(work, ignore_errors=True)
        config = write_config(work, args.tmp / "farm" / str(args.feeds) / "urls.txt")
        farm.run([args.veille, "--config", config, "--data-dir", work / "data", "-q", "poll"])
        with Nginx(work) as nginx:
            schedule(work / "data", first_in_s=86400, over_s=3600)
            with Daemon(args, config, work / "data", "24h") as daemon:
                nginx.take(daemon.get(DIGEST))
                found["at rest"] = measure(args, daemon, nginx)
            schedule(work / "data", first_in_s=2, over_s=60)
            with Daemon(args, config, work / "data", "1m") as daemon:
                found[f"{args.feeds} feeds polled each minute"] = measure(args, daemon, nginx)
            found[f"{args.feeds} new feeds polled"] = measure_while_new(args, config, work, nginx)
    finally:
        subprocess.run(["bash", args.bench / "farm/run.sh", "stop"], check=True, env=env)
    report(args, found)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, required=True)
    parser.add_argument("--veille", type=pathlib.Path, default=farm.HERE / "target/release/veille")
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--farm-port", type=int, default=8899)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--tmp", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "veille-serving")
    return parser.parse_args()


def write_config(work, urls):
    """The shipped config over the farm's feeds, and a digest that every item enters."""
    config = farm.write_config(work, urls)
    text = config.read_text()
    text = re.sub(r"(?m)^# listen = .*$", f'listen = "127.0.0.1:{PORTS["veille"]}"', text)
    text = re.sub(r"(?m)^\[fetch\]$", '[fetch]\nmin_interval = "1m"\ninterval = "1m"', text)
    assert str(PORTS["veille"]) in text, "the shipped config says where to listen"
    config.write_text(text)
    with open(config.parent / "digests.toml", "a") as digests:
        digests.write('\n[digests.all]\nquery = "published>=1970-01-02"\nlimit = 30\n')
    return config


def schedule(data, first_in_s, over_s):
    """The next refreshes, spread evenly; no daemon runs meanwhile."""
    database = sqlite3.connect(data / "veille.db")
    first = int((time.time() + first_in_s) * 1000)
    database.execute("UPDATE feeds SET next_check_at = ? + abs(random() % ?), fresh_until_at = NULL", [first, over_s * 1000])
    database.commit()
    database.close()


class Daemon:
    """`veille run`, ready; its feeds are due at this interval."""

    def __init__(self, args, config, data, interval):
        text = config.read_text()
        config.write_text(re.sub(r'(?m)^(min_)?interval = "\w+"$', lambda found: f'{found[1] or ""}interval = "{interval}"', text))
        self.data = data
        command = [args.veille, "--config", config, "--data-dir", data, "-q", "run"]
        self.log = open(data.parent / "daemon.log", "ab")
        self.process = subprocess.Popen([str(part) for part in command], stderr=self.log, stdout=self.log)
        self.address = f'http://127.0.0.1:{PORTS["veille"]}'
        wait_until(lambda: self.get("healthz") is not None, "the daemon answers")

    def get(self, path):
        return fetched(f"{self.address}/{path}")

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def ask(self, sql):
        database = sqlite3.connect(f"file:{self.data}/veille.db?mode=ro", uri=True, timeout=10)
        try:
            return database.execute(sql).fetchone()
        finally:
            database.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()


class Nginx:
    """Serves a file as the digest, with its gzipped twin beside it; two workers, as there are two processors."""

    def __init__(self, work):
        self.root = work / "nginx"
        (self.root / "www/digests").mkdir(parents=True)
        self.address = f'http://127.0.0.1:{PORTS["nginx"]}'
        (self.root / "nginx.conf").write_text(
            f"worker_processes 2;\npid {self.root}/pid;\nerror_log {self.root}/error.log;\n"
            f"events {{ worker_connections 1024; }}\nhttp {{\n access_log off;\n sendfile on;\n tcp_nopush on;\n"
            f" open_file_cache max=100;\n keepalive_requests 100000000;\n gzip_static on;\n"
            f" types {{ application/atom+xml atom; }}\n"
            f" server {{ listen 127.0.0.1:{PORTS['nginx']}; root {self.root}/www; }}\n}}\n")

    def take(self, document):
        target = self.root / "www" / DIGEST
        target.write_bytes(document)
        target.with_suffix(".atom.gz").write_bytes(gzip.compress(document, 9))
        wait_until(lambda: fetched(f"{self.address}/{DIGEST}") == document, "nginx serves the file")

    def __enter__(self):
        for path in [self.root.parent.parent, self.root.parent, self.root]:
            path.chmod(0o755)
        subprocess.run(["nginx", "-c", str(self.root / "nginx.conf")], check=True)
        return self

    def __exit__(self, *_):
        os.kill(int((self.root / "pid").read_text()), signal.SIGQUIT)


def fetched(url, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.read()
    except OSError:
        return None


def wait_until(holds, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def measure(args, daemon, nginx):
    """Each kind of request at both servers, by turns; how polling went on meanwhile."""
    rss = [daemon.rss_mb()]
    refreshed, lags = Counter(daemon), []
    figures = {}
    with refreshed:
        for kind, headers in KINDS.items():
            ours, theirs = wrk(args, daemon.address, kind, headers), wrk(args, nginx.address, kind, headers)
            figures[kind] = (ours, theirs)
            rss.append(daemon.rss_mb())
            due_at_ms = daemon.ask("SELECT min(next_check_at) FROM feeds WHERE state = 'active'")[0]
            lags.append(max(0, time.time() - due_at_ms / 1000))
    return {"figures": figures, "rss_mb": rss, "refreshes_s": refreshed.rate, "lag_s": max(lags)}


class Counter:
    """Counts refreshes by the newest of each feed, twice a second."""

    def __init__(self, daemon):
        self.daemon, self.done, self.stop = daemon, 0, threading.Event()

    def count(self):
        since = time.time() * 1000
        while not self.stop.wait(0.5):
            now = time.time() * 1000
            self.done += self.daemon.ask(f"SELECT count(*) FROM feeds WHERE last_refresh_at > {since:.0f} AND last_refresh_at <= {now:.0f}")[0]
            since = now

    def __enter__(self):
        self.started = time.monotonic()
        self.thread = threading.Thread(target=self.count)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.rate = self.done / (time.monotonic() - self.started)


def measure_while_new(args, config, work, nginx):
    """A new data directory for each kind of request; shorter, as it does not last. The digest changes all the time, so
    nothing is a 304."""
    figures, rss, rate = {}, [], []
    for kind, headers in list(KINDS.items())[:2]:
        shutil.rmtree(work / "data")
        (work / "data").mkdir()
        with Daemon(args, config, work / "data", "24h") as daemon:
            started = time.monotonic()
            ours = wrk(args, daemon.address, kind, headers, seconds=min(args.seconds, 10))
            rate.append(daemon.ask("SELECT count(*) FROM feeds WHERE last_refresh_at IS NOT NULL")[0] / (time.monotonic() - started))
            theirs = wrk(args, nginx.address, kind, headers, seconds=min(args.seconds, 10))
            rss.append(daemon.rss_mb())
        figures[kind] = (ours, theirs)
    return {"figures": figures, "rss_mb": rss, "refreshes_s": sum(rate) / len(rate), "lag_s": 0}


def wrk(args, address, kind, headers, seconds=None):
    """Requests a second and the 99th percentile; anything but the status that was asked for is a failure."""
    headers = dict(headers)
    if kind == "304":
        with urllib.request.urlopen(f"{address}/{DIGEST}") as answer:
            headers["If-None-Match"] = answer.headers["ETag"]
    command = ["wrk", "-t2", f"-c{args.connections}", f"-d{seconds or args.seconds}s", "--latency"]
    command += [part for name, value in headers.items() for part in ["-H", f"{name}: {value}"]]
    said = subprocess.run([*command, f"{address}/{DIGEST}"], check=True, capture_output=True, text=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", said)
    if failed:
        sys.exit(f"{address} {kind}: {failed[0]}")
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    p99_ms = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return {"requests_s": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), "p99_ms": p99_ms}


def report(args, found):
    print(f"wrk -t2 -c{args.connections} -d{args.seconds}s, {os.cpu_count()} processors, load {os.getloadavg()[0]:.0f}\n")
    print("| the daemon | asked for | veille, requests/s | nginx | ratio | p99 ms | nginx p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for state, measured in found.items():
        for kind, (ours, theirs) in measured["figures"].items():
            ratio = ours["requests_s"] / theirs["requests_s"]
            missed = " (goal 0.5, MISSED)" if ratio < GOALS["ratio"] else ""
            late = f" (goal {GOALS['p99_ms']:g}, MISSED)" if ours["p99_ms"] > GOALS["p99_ms"] else ""
            print(f"| {state} | {kind} | {ours['requests_s']:,.0f} | {theirs['requests_s']:,.0f} | {ratio:.2f}{missed}"
                  f" | {ours['p99_ms']:.1f}{late} | {theirs['p99_ms']:.1f} |")
    print()
    for state, measured in found.items():
        rss = ", ".join(f"{mb:.0f}" for mb in measured["rss_mb"])
        print(f"{state}: {measured['refreshes_s']:.1f} feeds refreshed a second, latest {measured['lag_s']:.1f} s late, memory {rss} MB")


if __name__ == "__main__":
    main()
