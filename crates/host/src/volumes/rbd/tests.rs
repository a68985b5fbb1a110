use std::os::unix::fs::PermissionsExt;

use super::*;

const MIB: u64 = 1 << 20;

/// A Ceph that is a directory.
struct Ceph {
    path: Utf8PathBuf,
    _dir: tempfile::TempDir,
}

fn ceph() -> Ceph {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    for program in ["rbd", "ceph"] {
        let file = path.join(program);
        std::fs::write(&file, include_str!("fake_rbd.py")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    std::fs::write(path.join("ceph.conf"), "[global]\n").unwrap();
    std::fs::write(
        path.join("keyring"),
        "[client.one]\n\tkey = AQBzZWNyZXQ=\n\tcaps mon = \"profile rbd\"\n",
    )
    .unwrap();
    std::fs::create_dir(path.join("scratch")).unwrap();
    Ceph { path, _dir: dir }
}

impl Ceph {
    fn options(&self, owner: &str) -> RbdOptions {
        RbdOptions {
            conf: self.path.join("ceph.conf"),
            keyring: self.path.join("keyring"),
            programs: ["rbd", "ceph"].map(|program| self.path.join(program).into_string()),
            ..RbdOptions::new("volumes", "one", owner, self.path.join("scratch"))
        }
    }

    async fn volumes(&self) -> RbdVolumes {
        RbdVolumes::open(self.options("us")).await.unwrap()
    }

    /// What was called since the last look, without what every call begins with.
    fn calls(&self) -> String {
        let file = self.path.join("calls");
        let all = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(&file, "").unwrap();
        let common = "--conf HOME/ceph.conf --id one --keyring HOME/keyring ";
        all.replace(common, "").replace("ls --long --format json volumes\n", "")
    }

    async fn write(&self, volumes: &RbdVolumes, id: &str, text: &str) {
        let place = volumes.place(id).await.unwrap();
        assert!(!place.contains('@'), "{place} is never written");
        let state: Value =
            serde_json::from_str(&std::fs::read_to_string(self.path.join("state.json")).unwrap()).unwrap();
        let file = self.path.join(format!("data.{}", state[&place]["data"]));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        std::fs::write(&file, bytes).unwrap();
    }

    async fn read(&self, volumes: &RbdVolumes, layer: &LayerPlan) -> (String, u64) {
        let to = self.path.join("out");
        let chain = std::slice::from_ref(layer);
        volumes.flatten(chain, &to, LayerFormat::Raw, None).await.unwrap();
        let bytes = std::fs::read(&to).unwrap();
        let text = bytes.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
        (text, bytes.len() as u64)
    }
}

fn layer(id: &str, base: LayerBase) -> LayerPlan {
    LayerPlan { id: id.into(), format: LayerFormat::Raw, bytes: MIB, base, cipher: None, key: None }
}

fn over(id: &str, below: &LayerPlan) -> LayerPlan {
    let base = LayerBase::Layer { id: below.id.clone(), format: below.format };
    LayerPlan { format: LayerFormat::Qcow2, ..layer(id, base) }
}

#[tokio::test]
async fn the_calls_of_a_volume_with_snapshot_and_clone() {
    let ceph = ceph();
    let volumes = ceph.volumes().await;
    let first = std::fs::read_to_string(ceph.path.join("calls")).unwrap();
    assert!(first.contains(
        "\n--conf HOME/ceph.conf --id one --keyring HOME/keyring ls --long --format json volumes\n"
    ));
    let mut told = ceph.calls();
    let a = layer("a", LayerBase::Nothing);
    let (b, c) = (over("b", &a), LayerPlan { bytes: 2 * MIB, ..over("c", &a) });
    for one in [&a, &b, &c] {
        volumes.make(one).await.unwrap();
    }
    volumes.grow(&LayerPlan { bytes: 3 * MIB, ..b.clone() }).await.unwrap();
    volumes
        .copy(&[a.clone(), b.clone()], &LayerPlan { bytes: 3 * MIB, ..layer("d", LayerBase::Nothing) })
        .await
        .unwrap();
    for id in ["b", "c", "a", "d"] {
        volumes.remove(id).await.unwrap();
        volumes.remove(id).await.unwrap();
    }
    told += &ceph.calls();
    insta::assert_snapshot!(told);
    assert!(volumes.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn layers_show_what_was_written_when_they_were_frozen() {
    let ceph = ceph();
    let volumes = ceph.volumes().await;
    let a = layer("a", LayerBase::Nothing);
    volumes.make(&a).await.unwrap();
    ceph.write(&volumes, "a", "one").await;
    let b = over("b", &a);
    volumes.make(&b).await.unwrap();
    // The volume goes on in the same image, which a machine may have open.
    ceph.write(&volumes, "b", "two").await;
    let (c, d) = (over("c", &b), LayerPlan { bytes: 2 * MIB, ..over("d", &a) });
    volumes.make(&c).await.unwrap();
    ceph.write(&volumes, "c", "three").await;
    volumes.make(&d).await.unwrap();
    ceph.write(&volumes, "d", "clone").await;
    for one in [&a, &b, &c, &d] {
        // Done already.
        volumes.make(one).await.unwrap();
    }
    for (layer, text) in [(&a, "one"), (&b, "two"), (&c, "three"), (&d, "clone")] {
        assert_eq!(ceph.read(&volumes, layer).await, (text.to_owned(), layer.bytes), "{}", layer.id);
    }
    assert_eq!(volumes.list().await.unwrap(), ["a", "b", "c", "d"]);
    // The volume goes; its snapshot and what stands on that stay.
    volumes.remove("c").await.unwrap();
    assert_eq!(ceph.read(&volumes, &b).await.0, "two");
    assert!(volumes.remove("a").await.is_err(), "a clone stands on it");
    volumes.remove("b").await.unwrap();
    volumes.remove("d").await.unwrap();
    volumes.remove("a").await.unwrap();
    assert!(volumes.list().await.unwrap().is_empty());
    assert_eq!(volumes.rbd.images().await.unwrap().dead().count(), 0);
}

/// Cut off after any number of calls, the next attempt makes the same.
#[tokio::test]
async fn a_call_that_was_cut_off_is_made_again() {
    for cut in 0..6 {
        let ceph = ceph();
        let volumes = ceph.volumes().await;
        let a = layer("a", LayerBase::Nothing);
        volumes.make(&a).await.unwrap();
        ceph.write(&volumes, "a", "kept").await;
        let (b, c) = (over("b", &a), over("c", &a));
        let steps: [&[&str]; 3] = [
            &["snap", "create", "volumes/layer.a@a"],
            &["snap", "protect", "volumes/layer.a@a"],
            &["mv", "volumes/layer.a", "volumes/layer.b"],
        ];
        for step in steps.iter().take(cut.min(3)) {
            volumes.rbd.quick(step).await.unwrap();
        }
        if cut >= 4 {
            volumes.rbd.quick(&["clone", "volumes/layer.b@a", "volumes/layer.c"]).await.unwrap();
        }
        for one in [&b, &c, &b] {
            volumes.make(one).await.unwrap();
        }
        for one in [&a, &b, &c] {
            assert_eq!(ceph.read(&volumes, one).await.0, "kept", "{cut}: {}", one.id);
        }
        if cut == 5 {
            volumes.rbd.quick(&["create", "--size", "1B", "volumes/part.b"]).await.unwrap();
        }
        for id in ["c", "b", "a"] {
            volumes.remove(id).await.unwrap();
        }
        assert!(volumes.list().await.unwrap().is_empty(), "{cut}");
    }
}

#[tokio::test]
async fn images_come_in_and_go_out_in_their_format() {
    let ceph = ceph();
    let volumes = ceph.volumes().await;
    let raw = ceph.path.join("image");
    let mut bytes = vec![0; MIB as usize];
    bytes[..4].copy_from_slice(b"boot");
    std::fs::write(&raw, bytes).unwrap();
    let qcow2 = ceph.path.join("image.qcow2");
    to_raw_or(LayerFormat::Raw, &raw, &qcow2, LayerFormat::Qcow2).await.unwrap();
    for (id, file, format) in [("a", raw, LayerFormat::Raw), ("b", qcow2, LayerFormat::Qcow2)] {
        let image = LayerPlan { format, ..layer(id, LayerBase::File(file)) };
        volumes.make(&image).await.unwrap();
        let top = LayerPlan { bytes: 4 * MIB, ..over(&format!("top-{id}"), &image) };
        volumes.make(&top).await.unwrap();
        assert_eq!(ceph.read(&volumes, &top).await, ("boot".to_owned(), 4 * MIB));
        let to = ceph.path.join("uploaded");
        let made = volumes.flatten(&[image, top], &to, LayerFormat::Qcow2, None).await.unwrap();
        assert_eq!(made.virtual_size, 4 * MIB);
        assert_eq!(crate::files::inspect_image(&to, "qcow2").await.unwrap().virtual_size, 4 * MIB);
    }
    assert_eq!(std::fs::read_dir(ceph.path.join("scratch")).unwrap().count(), 0);
    assert_eq!(volumes.space().await.unwrap(), VolumeSpace { total_bytes: 100, free_bytes: 90 });
}

#[tokio::test]
async fn what_is_missing_is_said_at_the_start() {
    let ceph = ceph();
    let told = |options: RbdOptions| async move { RbdVolumes::open(options).await.unwrap_err().to_string() };
    let us = ceph.options("us");
    let nowhere = ["/nonexistent/rbd", "/nonexistent/ceph"].map(str::to_owned);
    assert!(
        told(RbdOptions { programs: nowhere, ..us.clone() }).await.contains("Debian package ceph-common")
    );
    assert!(
        told(RbdOptions { keyring: "/nonexistent/keyring".into(), ..us.clone() }).await.contains("keyring")
    );
    assert!(
        told(RbdOptions { conf: "/nonexistent/conf".into(), ..us.clone() })
            .await
            .contains("couldn't connect")
    );
    assert!(
        told(RbdOptions { pool: "other".into(), ..us.clone() }).await.contains("error opening pool 'other'")
    );
    RbdVolumes::open(us.clone()).await.unwrap();
    RbdVolumes::open(us).await.unwrap();
    assert!(told(ceph.options("them")).await.contains("a pool of its own"));
}

#[tokio::test]
async fn what_is_to_be_encrypted_is_refused() {
    let ceph = ceph();
    let volumes = ceph.volumes().await;
    let cipher = super::super::Cipher::parse("aes-xts-plain64", 256);
    let locked = LayerPlan { cipher, key: Some(Passphrase::of_key(&[1])), ..layer("a", LayerBase::Nothing) };
    for refused in
        [volumes.make(&locked).await, volumes.copy(&[layer("b", LayerBase::Nothing)], &locked).await]
    {
        assert!(refused.unwrap_err().to_string().contains("cannot be encrypted in Ceph yet"));
    }
    assert!(volumes.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn strangers_images_are_nobodys_layers() {
    let ceph = ceph();
    let volumes = ceph.volumes().await;
    volumes.rbd.quick(&["create", "--size", "1B", "volumes/other"]).await.unwrap();
    volumes.rbd.quick(&["snap", "create", "volumes/other@a"]).await.unwrap();
    assert!(volumes.list().await.unwrap().is_empty());
    volumes.remove("a").await.unwrap();
    assert!(volumes.rbd.images().await.unwrap().has("other"));
}
