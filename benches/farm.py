#!/usr/bin/env python3
"""Polls a farm of feeds with the release `veille` beside a bare loop, in one run, and prints ratios.

  benches/farm.py --bench BENCH --pollref POLLREF [--veille target/release/veille] [--feeds 1000 5000]

BENCH is the folder that holds farm/run.sh (1,000 and 5,000 feeds x 30 items, 40 KB a document, nginx on
250 loopback addresses); POLLREF the program that fetches, cuts and inserts and does nothing else. The
config is the shipped one, every rule active, with the farm's feeds in the place of its own.

Each figure is the least of --rounds rounds: bare loop and veille take turns, so that both see the same
machine. The goals are printed beside the figures, and a missed one is marked. The index of words, which a
poll of new feeds leaves to the daemon or to the next search, is told apart: a search that makes it up, and
the same again.
"""
import argparse, json, os, pathlib, re, shutil, sqlite3, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent.parent
GOALS = {"cold": 1.5, "warm": 1.5, "cpu_s_per_1000": 1.0, "rss_mb": 40.0, "db_ratio": 0.85, "growth": 5.3}


def main():
    args = arguments()
    env = dict(os.environ, FARM_TMP=str(args.tmp / "farm"))
    results = {}
    for feeds in args.feeds:
        subprocess.run(["bash", args.bench / "farm/run.sh", "start", str(feeds)], check=True, env=env)
        try:
            results[feeds] = measure(args, args.tmp / "farm" / str(feeds), feeds)
        finally:
            subprocess.run(["bash", args.bench / "farm/run.sh", "stop"], check=True, env=env)
    report(results)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, required=True)
    parser.add_argument("--pollref", type=pathlib.Path, required=True)
    parser.add_argument("--veille", type=pathlib.Path, default=HERE / "target/release/veille")
    parser.add_argument("--feeds", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tmp", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "veille-bench")
    return parser.parse_args()


def measure(args, farm, feeds):
    """Rounds of: bare insert, veille cold, bare warm, veille warm, two searches. The least of each."""
    manifest = json.loads((farm / "manifest.json").read_text())
    work = args.tmp / f"work-{feeds}"
    runs = {"bare cold": [], "cold": [], "bare warm": [], "warm": [], "first search": [], "search": []}
    for _ in range(args.rounds):
        shutil.rmtree(work, ignore_errors=True)
        config = write_config(work, farm / "urls.txt")
        bare = lambda mode: [args.pollref, mode, farm / "urls.txt", "16", work / "pollref.db"]
        veille = [args.veille, "--config", config, "--data-dir", work / "data", "--json", "-q"]
        runs["bare cold"].append(run(bare("insert")))
        runs["cold"].append(run([*veille, "poll"]))
        cold = json.loads(runs["cold"][-1]["stdout"])
        runs["bare warm"].append(run(bare("warm")))
        runs["warm"].append(run([*veille, "poll", "--force"]))
        warm = json.loads(runs["warm"][-1]["stdout"])
        assert cold["refreshed"] == feeds and cold["failed"] == 0, "a cold poll refreshes every feed"
        assert warm["not_modified"] == feeds, "a warm poll finds nothing modified"
        database = sqlite3.connect(work / "data/veille.db")
        stored = database.execute("SELECT count(*) FROM items").fetchone()[0]
        tagged = database.execute("SELECT count(DISTINCT item_id) FROM item_tags").fetchone()[0]
        database.close()
        db_bytes = (work / "data/veille.db").stat().st_size
        for search in ["first search", "search"]:
            runs[search].append(run([*veille, "search", "airport"]))
    least = {name: min(done, key=lambda one: one["wall_s"]) for name, done in runs.items()}
    return {**least, "rss_mb": max(one["rss_mb"] for one in runs["cold"] + runs["warm"]), "stored": stored,
            "served": manifest["items"], "tagged": tagged, "db_bytes": db_bytes, "feed_bytes": manifest["bytes"]}


def write_config(work, urls):
    """The shipped config over the farm's feeds."""
    config = work / "config"
    shutil.copytree(HERE / "config", config)
    text = (config / "veille.toml").read_text()
    text, found = re.subn(r"(?m)^\[fetch\]$", "[fetch]\nallow_private_addresses = true", text)
    assert found == 1, "the shipped config has a [fetch] table"
    (config / "veille.toml").write_text(text)
    feeds = "".join(f'[[feeds]]\nurl = "{url}"\n' for url in urls.read_text().split())
    (config / "feeds.toml").write_text(feeds)
    (work / "data").mkdir()
    return config / "veille.toml"


def run(command):
    """Wall, CPU and peak memory of one child."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([str(part) for part in command], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - started
        out.seek(0)
        stdout = out.read()
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with {child.returncode}: {stdout[-400:]!r}")
    return {"wall_s": wall_s, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024, "stdout": stdout}


def report(results):
    print("| feeds | | bare loop, wall (CPU) s | veille, wall (CPU) s | ratio of wall | of CPU | feeds/s |")
    print("|---|---|---|---|---|---|---|")
    for feeds, found in results.items():
        for what in ["cold", "warm"]:
            bare, ours = found["bare " + what], found[what]
            ratio = ours["wall_s"] / bare["wall_s"]
            print(f"| {feeds} | {what} | {bare['wall_s']:.2f} ({bare['cpu_s']:.2f}) | {ours['wall_s']:.2f} ({ours['cpu_s']:.2f})"
                  f" | {against(ratio, GOALS[what])} | {ours['cpu_s'] / bare['cpu_s']:.2f} | {feeds / ours['wall_s']:.0f} |")
    print()
    print("| feeds | CPU s per 1,000 cold feeds | peak memory MB | database byte per feed byte | items stored / served | tagged |")
    print("|---|---|---|---|---|---|")
    for feeds, found in results.items():
        cpu = found["cold"]["cpu_s"] * 1000 / feeds
        share = found["db_bytes"] / found["feed_bytes"]
        memory = against(found["rss_mb"], GOALS["rss_mb"], ".0f")
        print(f"| {feeds} | {against(cpu, GOALS['cpu_s_per_1000'])} | {memory} | {against(share, GOALS['db_ratio'])}"
              f" | {found['stored']} / {found['served']} | {found['tagged']} |")
    print()
    for feeds, found in results.items():
        first, again = (f"{one['wall_s']:.2f} ({one['cpu_s']:.2f}) s" for one in (found["first search"], found["search"]))
        print(f"{feeds} feeds: the first search, which makes up the index of words, {first}; the same again {again}")
    if {1000, 5000} <= results.keys():
        growth = results[5000]["cold"]["wall_s"] / results[1000]["cold"]["wall_s"]
        print(f"\nwall(5,000) / wall(1,000), cold: {against(growth, GOALS['growth'])}")
    assert all(found["stored"] == found["served"] for found in results.values()), "stored = served"


def against(figure, goal, form=".2f"):
    return f"{figure:{form}} (goal {goal:g}{'' if figure <= goal else ', MISSED'})"


if __name__ == "__main__":
    main()
