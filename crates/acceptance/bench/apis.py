"""API figures of a running cloud: throughput and latency by wrk, and the cloud's own CPU and memory.

Reads OS_* of an admin. Prints one JSON object a row. Needs wrk. Only ever point it at a cloud of your own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

AUTH = os.environ["OS_AUTH_URL"]
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))


def call(method, url, token=None, body=None):
    headers = {"Content-Type": "application/json", "OpenStack-API-Version": "compute 2.96"}
    if token:
        headers["X-Auth-Token"] = token
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
        text = answer.read()
        return answer.headers, json.loads(text) if text else None


def password_body():
    env = os.environ
    user = {"name": env["OS_USERNAME"], "domain": {"name": "Default"}, "password": env["OS_PASSWORD"]}
    project = {"name": env["OS_PROJECT_NAME"], "domain": {"name": "Default"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def wrk(row, connections, method, url, headers, body, pid):
    """One closed-loop run; the script prints what wrk's own text rounds."""
    lines = [f'wrk.method = "{method}"']
    lines += [f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()]
    if body is not None:
        lines += [f"wrk.body = [==[{json.dumps(body)}]==]", 'wrk.headers["Content-Type"] = "application/json"']
    lines.append(
        "function done(s, l, r) io.write(string.format('\\nROW %d %d %d %f %f\\n', s.requests, s.duration,"
        " s.errors.status, l:percentile(50), l:percentile(99))) end"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        before = cpu_seconds(pid)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", script.name, url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        spent = cpu_seconds(pid) - before
    found = next(line for line in text.splitlines() if line.startswith("ROW "))
    requests, micros, errors, p50, p99 = (float(x) for x in found.split()[1:])
    print(json.dumps({
        "row": row, "connections": connections, "per_second": round(requests / micros * 1e6, 1),
        "p50_ms": round(p50 / 1e3, 3), "p99_ms": round(p99 / 1e3, 3), "errors": int(errors),
        "cpu_ms_per_request": round(spent * 1e3 / max(1, requests), 4),
    }), flush=True)


def main():
    pid = int(sys.argv[1])
    print(json.dumps({"row": "resident memory, idle", "mib": round(resident_mib(pid), 1)}), flush=True)
    headers, body = call("POST", f"{AUTH}/auth/tokens", body=password_body())
    token, url = headers["X-Subject-Token"], {}
    for service in body["token"]["catalog"]:
        url[service["type"]] = next(e["url"] for e in service["endpoints"] if e["interface"] == "public")
    project = body["token"]["project"]["id"]
    made = []
    network = f"{url['network']}/v2.0"
    call("PUT", f"{network}/quotas/{project}", token, {"quota": {"network": -1}})
    for number in range(100):
        made.append(call("POST", f"{network}/networks", token, {"network": {"name": f"bench-{number}"}})[1]["network"]["id"])
    try:
        with_token = {"X-Auth-Token": token}
        rescope = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}},
                            "scope": {"project": {"id": project}}}}
        rows = [
            ("token by password (argon2id)", "POST", f"{AUTH}/auth/tokens", {}, password_body()),
            ("token by token", "POST", f"{AUTH}/auth/tokens", {}, rescope),
            ("token validation", "GET", f"{AUTH}/auth/tokens", {**with_token, "X-Subject-Token": token}, None),
            ("server list, detail", "GET", f"{url['compute']}/servers/detail", with_token, None),
            ("flavor list, detail", "GET", f"{url['compute']}/flavors/detail", with_token, None),
            ("image list", "GET", f"{url['image']}/v2/images", with_token, None),
            ("network list, 100", "GET", f"{network}/networks?limit=1000", with_token, None),
            ("project list", "GET", f"{AUTH}/projects", with_token, None),
        ]
        for row, method, where, extra, payload in rows:
            for connections in (1, 16):
                wrk(row, connections, method, where, extra, payload, pid)
    finally:
        for network_id in made:
            call("DELETE", f"{network}/networks/{network_id}", token)
    time.sleep(1)
    print(json.dumps({"row": "resident memory, afterwards", "mib": round(resident_mib(pid), 1)}), flush=True)


if __name__ == "__main__":
    main()
