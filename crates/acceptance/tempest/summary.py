#!/usr/bin/env python3
"""summary.py SUITE JSON SUBUNIT.. [KEY=VALUE..]: a run's results as JSON, and the short of it on the terminal.

Several streams are one run: what was run against the simulated cloud, and what needs a guest. Ends with 1 if a test failed
or one of the streams has none that passed.
"""

import collections
import json
import sys

import subunit
from testtools import StreamToDict


def read(path):
    """(id, status, details, seconds) of every test."""
    tests = []

    def keep(test):
        if test["status"] in ("inprogress", "exists") or test["id"] == "stdout":
            return
        texts = {k: v.as_text() for k, v in test["details"].items() if k == "reason" or k.startswith("traceback")}
        begin, end = test["timestamps"]
        seconds = (end - begin).total_seconds() if begin and end else 0.0
        tests.append((test["id"], test["status"], texts, seconds))

    stream = StreamToDict(keep)
    stream.startTestRun()
    with open(path, "rb") as file:
        subunit.ByteStreamToStreamResult(file, non_subunit_name="stdout").run(stream)
    stream.stopTestRun()
    return tests


def module_of(test):
    """`tempest.api.compute.servers`: what a row of the table is about."""
    if test.startswith(("setUpClass", "tearDownClass")):
        test = test[test.index("(") + 1 : -1]
    parts = test.split("[")[0].split(".")
    depth = next((i for i, part in enumerate(parts) if part.startswith("test_")), len(parts))
    parts = [part for part in parts[:depth] if part not in ("admin", "v3")]
    return ".".join(parts[: 4 if parts[0] == "tempest" else 3])


def last_line(texts):
    lines = "\n".join(v for k, v in texts.items() if k.startswith("traceback")).strip().splitlines()
    # What the server answered says more than that it was not expected.
    details = [line.strip() for line in lines if line.strip().startswith("Details:")]
    return " ".join(([lines[-1].strip()] if lines else ["no traceback"]) + details[-1:])[:300]


def main():
    suite, out, *rest = sys.argv[1:]
    extra = [word for word in rest if "=" in word]
    streams = [read(word) for word in rest if "=" not in word]
    modules = collections.defaultdict(collections.Counter)
    failures, reasons = [], collections.Counter()
    for test, status, texts, _ in (test for stream in streams for test in stream):
        kind = {"success": "pass", "xfail": "pass", "skip": "skip"}.get(status, "fail")
        modules[module_of(test)][kind] += 1
        if kind == "skip":
            reasons[(texts.get("reason") or "no reason given").strip().splitlines()[-1][:160]] += 1
        if kind == "fail":
            failures.append({"test": test.split("[")[0], "reason": last_line(texts)})
    failures.sort(key=lambda f: f["test"])
    total = {k: sum(m[k] for m in modules.values()) for k in ("pass", "fail", "skip")}
    result = {
        "suite": suite,
        **dict(pair.split("=", 1) for pair in extra),
        **total,
        "modules": {name: {k: counts[k] for k in ("pass", "fail", "skip")} for name, counts in sorted(modules.items())},
        "failures": failures,
        "skips": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    }
    with open(out, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    for failure in failures:
        print(f"FAILED {failure['test']}\n       {failure['reason']}")
    print(f"{suite}: {total['pass']} passed, {total['fail']} failed, {total['skip']} skipped")
    idle = any(all(status not in ("success", "xfail") for _, status, *_ in stream) for stream in streams)
    if idle:
        print("a run in which nothing passed did not work")
    sys.exit(1 if failures or idle else 0)


if __name__ == "__main__":
    main()
