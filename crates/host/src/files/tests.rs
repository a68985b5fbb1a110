use std::io::Write;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::{create_overlay, inspect_image};
use crate::Error;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).unwrap().join(name)
    }

    fn image(&self, name: &str, arguments: &[&str]) -> Utf8PathBuf {
        let path = self.path(name);
        let done =
            Command::new("qemu-img").args(["create", "-q"]).args(arguments).arg(&path).arg("16M").status();
        assert!(done.unwrap().success());
        path
    }
}

async fn refusal(path: &Utf8Path, format: &str) -> String {
    match inspect_image(path, format).await {
        Err(Error::Image(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn honest_images_tell_their_size() {
    let dir = Dir::new();
    let qcow2 = dir.image("a", &["-f", "qcow2"]);
    let old = dir.image("b", &["-f", "qcow2", "-o", "compat=0.10"]);
    for path in [&qcow2, &old] {
        let info = inspect_image(path, "qcow2").await.unwrap();
        assert_eq!((info.virtual_size, info.format.as_str()), (16 << 20, "qcow2"));
    }
    let raw = dir.image("c", &["-f", "raw"]);
    assert_eq!(inspect_image(&raw, "raw").await.unwrap().virtual_size, 16 << 20);
}

#[tokio::test]
async fn a_format_is_never_guessed() {
    let dir = Dir::new();
    let qcow2 = dir.image("a", &["-f", "qcow2"]);
    let raw = dir.image("b", &["-f", "raw"]);
    let vmdk = dir.image("c", &["-f", "vmdk"]);
    assert_eq!(refusal(&qcow2, "raw").await, "the image is declared as raw but is qcow2");
    assert_eq!(refusal(&raw, "qcow2").await, "the image is declared as qcow2 but is not");
    assert_eq!(refusal(&vmdk, "qcow2").await, "the image is declared as qcow2 but is vmdk");
    assert_eq!(refusal(&vmdk, "vmdk").await, "disk format `vmdk` cannot be run here: use qcow2 or raw");
}

#[tokio::test]
async fn images_that_reach_for_other_files_are_refused() {
    let dir = Dir::new();
    let backed = dir.image("a", &["-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/shadow"]);
    assert!(refusal(&backed, "qcow2").await.contains("backing file"));
    let data = format!("data_file={},data_file_raw=on", dir.path("data"));
    let external = dir.image("b", &["-f", "qcow2", "-o", &data]);
    assert!(refusal(&external, "qcow2").await.contains("data in another file"));
    let secret = ["--object", "secret,id=s,data=x", "-f", "qcow2", "-o"];
    let locked = dir.image(
        "c",
        &[&secret[..], &["encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"]].concat(),
    );
    assert!(refusal(&locked, "qcow2").await.contains("encrypted"));
}

#[tokio::test]
async fn broken_files_get_one_sentence() {
    let dir = Dir::new();
    let path = dir.path("cut");
    std::fs::write(&path, b"QFI\xfb\0\0\0\x03").unwrap();
    let text = refusal(&path, "qcow2").await;
    assert!(text.starts_with("the image cannot be read as qcow2:") && !text.contains("/proc"), "{text}");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(refusal(&path, "raw").await, "the image is empty");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(inspect_image(&path, "raw").await, Err(Error::File { .. })));
}

#[tokio::test]
async fn an_overlay_shows_its_image_and_leaves_it_alone() {
    let dir = Dir::new();
    let image = dir.path("image");
    let mut file = std::fs::File::create(&image).unwrap();
    file.write_all(&[7; 4096]).unwrap();
    file.set_len(1 << 20).unwrap();
    let overlay = dir.path("disk.qcow2");
    create_overlay(&overlay, &image, "raw", 1 << 30).await.unwrap();
    // A second look as the host's tools see it.
    let info =
        Command::new("qemu-img").args(["info", "--output=json", "-f", "qcow2", overlay.as_str()]).output();
    let info: serde_json::Value = serde_json::from_slice(&info.unwrap().stdout).unwrap();
    assert_eq!(info["virtual-size"], 1 << 30);
    assert_eq!(
        (&info["backing-filename"], &info["backing-filename-format"]),
        (&image.as_str().into(), &"raw".into())
    );
    let left: Vec<_> = std::fs::read_dir(dir.0.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no half-made file stays");
}
