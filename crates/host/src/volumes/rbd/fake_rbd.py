#!/usr/bin/env python3
"""Ceph as far as a pool goes: images, snapshots, clones, in a directory beside this program. Refuses what Ceph refuses."""

import json
import os
import shutil
import sys

home = os.path.dirname(os.path.abspath(sys.argv[0]))
words = [word for word in sys.argv[1:] if word != "--no-progress"]
with open(f"{home}/calls", "a") as calls:
    calls.write(" ".join(words).replace(home, "HOME") + "\n")


def refuse(code, text):
    print(f"rbd: {text}", file=sys.stderr)
    sys.exit(code)


options = {}
while words and words[0] in ("--conf", "--id", "--keyring"):
    options[words[0]] = words[1]
    words = words[2:]
if words == ["--version"]:
    sys.exit(0)
if os.path.basename(sys.argv[0]) == "ceph":
    print(json.dumps({"pools": [{"name": "volumes", "stats": {"stored": 10, "max_avail": 90}}]}))
    sys.exit(0)
if not os.path.exists(options["--conf"]):
    refuse(1, "couldn't connect to the cluster!")
rest = []
while words:
    word = words.pop(0)
    if word in ("--size", "--format"):
        options[word] = words.pop(0)
    elif word != "--long":
        rest.append(word)
state = f"{home}/state.json"
images = json.load(open(state)) if os.path.exists(state) else {}


def split(spec):
    pool, _, name = spec.partition("/")
    if pool != "volumes":
        refuse(2, f"error opening pool '{pool}': (2) No such file or directory")
    image, _, snapshot = name.partition("@")
    return image, snapshot


def known(spec):
    image, snapshot = split(spec)
    if image not in images or snapshot and snapshot not in images[image]["snapshots"]:
        refuse(2, f"error opening {spec}: (2) No such file or directory")
    return image, snapshot


def fresh(spec):
    image, _ = split(spec)
    if image in images:
        refuse(17, f"image {image} already exists")
    return image


def data(number):
    return f"{home}/data.{number}"


def new(size, parent=None):
    number = len(os.listdir(home))
    open(data(number), "w").close()
    os.truncate(data(number), size)
    return {"data": number, "snapshots": {}, "notes": {}, "parent": parent}


def place(spec):
    image, snapshot = known(spec)
    return data(images[image]["snapshots"][snapshot]["data"] if snapshot else images[image]["data"])


def children(image, snapshot):
    number = images[image]["snapshots"][snapshot]["data"]
    return [name for name, one in images.items() if one["parent"] == number]


verb = rest.pop(0)
if verb in ("snap", "image-meta"):
    verb += " " + rest.pop(0)
if verb == "ls":
    split(rest[0] + "/")
    lines = []
    for name, one in sorted(images.items()):
        lines.append({"image": name, "size": os.path.getsize(data(one["data"])), "format": 2})
        for snapshot, kept in one["snapshots"].items():
            lines.append({"image": name, "snapshot": snapshot, "size": os.path.getsize(data(kept["data"])),
                          "protected": "true" if kept["protected"] else "false"})
    print(json.dumps(lines))
elif verb == "create":
    images[fresh(rest[0])] = new(int(options["--size"].removesuffix("B")))
elif verb == "resize":
    os.truncate(place(rest[0]), int(options["--size"].removesuffix("B")))
elif verb == "mv":
    (image, _), to = known(rest[0]), fresh(rest[1])
    images[to] = images.pop(image)
elif verb == "rm":
    image, _ = known(rest[0])
    if images[image]["snapshots"]:
        refuse(39, f"image has snapshots - these must be deleted with 'rbd snap purge' before the image can be removed.")
    os.remove(data(images.pop(image)["data"]))
elif verb == "snap create":
    image, snapshot = split(rest[0])
    known(f"volumes/{image}")
    if snapshot in images[image]["snapshots"]:
        refuse(17, "failed to create snapshot: (17) File exists")
    kept = new(0)
    shutil.copyfile(data(images[image]["data"]), data(kept["data"]))
    images[image]["snapshots"][snapshot] = {"data": kept["data"], "protected": False}
elif verb == "snap protect":
    image, snapshot = known(rest[0])
    if images[image]["snapshots"][snapshot]["protected"]:
        refuse(16, "protecting snap failed: (16) Device or resource busy")
    images[image]["snapshots"][snapshot]["protected"] = True
elif verb == "snap unprotect":
    image, snapshot = known(rest[0])
    if children(image, snapshot):
        refuse(16, "unprotecting snap failed: (16) Device or resource busy")
    images[image]["snapshots"][snapshot]["protected"] = False
elif verb == "snap rm":
    image, snapshot = known(rest[0])
    if images[image]["snapshots"][snapshot]["protected"]:
        refuse(16, "snapshot is protected from removal.")
    os.remove(data(images[image]["snapshots"].pop(snapshot)["data"]))
elif verb == "clone":
    (image, snapshot), to = known(rest[0]), fresh(rest[1])
    kept = images[image]["snapshots"][snapshot]
    if not kept["protected"]:
        refuse(22, "clone error: (22) Invalid argument: parent snapshot must be protected")
    images[to] = new(0, parent=kept["data"])
    shutil.copyfile(data(kept["data"]), data(images[to]["data"]))
elif verb == "cp":
    source, to = place(rest[0]), fresh(rest[1])
    images[to] = new(0)
    shutil.copyfile(source, data(images[to]["data"]))
elif verb == "import":
    to = fresh(rest[1])
    images[to] = new(0)
    shutil.copyfile(rest[0], data(images[to]["data"]))
elif verb == "export":
    shutil.copyfile(place(rest[0]), rest[1])
elif verb == "image-meta ls":
    image, _ = known(rest[0])
    print(json.dumps(images[image]["notes"]))
elif verb == "image-meta set":
    image, _ = known(rest[0])
    images[image]["notes"][rest[1]] = rest[2]
else:
    refuse(22, f"unknown command {verb}")
with open(f"{state}.part", "w") as out:
    json.dump(images, out)
os.rename(f"{state}.part", state)
