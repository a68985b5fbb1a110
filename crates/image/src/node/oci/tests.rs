use super::*;
use crate::process::Command;

struct Scratch {
    _dir: tempfile::TempDir,
    path: Utf8PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        Scratch { _dir: dir, path }
    }

    fn tar(&self, args: &[&str]) -> String {
        Command::new("tar").args(args).dir(&self.path).output().unwrap()
    }
}

fn entries(scratch: &Scratch) -> Vec<Entry> {
    let program = scratch.path.join("program");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    vec![
        Entry::program("usr/bin/program", program),
        Entry::symlink("bin", "usr/bin"),
        Entry::text("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"),
        Entry::Directory { path: "tmp".into(), mode: 0o1777 },
    ]
}

#[test]
fn layer_has_parents_first_and_does_not_depend_on_order() {
    let scratch = Scratch::new();
    let mut entries = entries(&scratch);
    let one = layer(&scratch.path.join("one.tar"), &entries).unwrap();
    assert_eq!(
        scratch.tar(&["-tf", "one.tar"]),
        "bin\netc/\netc/passwd\ntmp/\nusr/\nusr/bin/\nusr/bin/program\n"
    );
    entries.reverse();
    entries.push(entries[0].clone());
    let two = layer(&scratch.path.join("two.tar"), &entries).unwrap();
    assert_eq!((&one.digest, one.size), (&two.digest, two.size));
    assert_eq!(one.size, std::fs::metadata(&one.path).unwrap().len());
    assert_eq!(one.digest, format!("sha256:{}", crate::cache::sha256_file(&one.path).unwrap()));
}

#[test]
fn archive_is_an_oci_layout() {
    let scratch = Scratch::new();
    let base = layer(&scratch.path.join("base.tar"), &entries(&scratch)).unwrap();
    let top = layer(&scratch.path.join("top.tar"), &[Entry::text("x", "x")]).unwrap();
    let images = [
        Image {
            names: vec!["registry.example/a/one:v1".into(), "registry.example/a/one:latest".into()],
            layers: vec![base.clone(), top.clone()],
            entrypoint: vec!["/usr/bin/program".into()],
            command: vec!["--flag".into()],
            user: "65532:65532".into(),
        },
        Image {
            names: vec!["registry.example/two:v2".into()],
            layers: vec![base.clone()],
            ..Image::default()
        },
    ];
    let path = scratch.path.join("images.tar");
    archive(&images, File::create(&path).unwrap(), &path).unwrap();

    let listed = scratch.tar(&["-tf", "images.tar"]);
    // Two texts, two configurations, two manifests, and each of the two layers once.
    assert_eq!(listed.lines().count(), 8, "{listed}");
    assert_eq!(scratch.tar(&["-xOf", "images.tar", "oci-layout"]), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let read = |digest: &Value| -> Value {
        let text = scratch.tar(&["-xOf", "images.tar", &blob_path(digest.as_str().unwrap())]);
        assert_eq!(*digest, super::digest(&Sha256::digest(text.as_bytes())));
        serde_json::from_str(&text).unwrap()
    };
    let index: Value = serde_json::from_str(&scratch.tar(&["-xOf", "images.tar", "index.json"])).unwrap();
    let names: Vec<&Value> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|listed| &listed["annotations"]["io.containerd.image.name"])
        .collect();
    assert_eq!(
        names,
        ["registry.example/a/one:v1", "registry.example/a/one:latest", "registry.example/two:v2"]
    );
    assert_eq!(index["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"], "latest");

    let manifest = read(&index["manifests"][0]["digest"]);
    assert_eq!(manifest["layers"][0]["digest"], base.digest);
    assert_eq!(manifest["layers"][1]["size"], top.size);
    assert_eq!(
        read(&manifest["config"]["digest"]),
        json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Env": [PATH],
                "Entrypoint": ["/usr/bin/program"],
                "Cmd": ["--flag"],
                "User": "65532:65532",
            },
            "rootfs": { "type": "layers", "diff_ids": [base.digest, top.digest] },
        })
    );
}

#[test]
fn golden_digests() {
    let scratch = Scratch::new();
    let layer = layer(&scratch.path.join("layer.tar"), &[Entry::text("etc/hostname", "golden\n")]).unwrap();
    let image = Image { names: vec!["x:1".into()], layers: vec![layer.clone()], ..Image::default() };
    let mut out = Vec::new();
    archive(&[image], &mut out, &scratch.path).unwrap();
    // These change only when what we write changes, and then every cached image must be made anew: raise RECIPE.
    assert_eq!(layer.digest, "sha256:6fad61bf0f0873ecdb54b4804ae71dd4ef11c02744459aea447c815e725d5e02");
    assert_eq!(
        digest(&Sha256::digest(&out)),
        "sha256:61834b45292b381f674109e92e8c6e17da834b5cbceb206b52f2f48bcf78187f"
    );
}
