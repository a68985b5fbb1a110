use std::io::{Read, Seek, SeekFrom, Write};

use camino::Utf8PathBuf;

use super::{FileVolumes, LayerBase, LayerFormat, LayerPlan, Volumes};

const MIB: u64 = 1 << 20;

struct Dir {
    volumes: FileVolumes,
    path: Utf8PathBuf,
    _dir: tempfile::TempDir,
}

fn dir() -> Dir {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    Dir { volumes: FileVolumes::open(&path.join("volumes")).unwrap(), path, _dir: dir }
}

fn layer(id: &str, format: LayerFormat, bytes: u64, base: LayerBase) -> LayerPlan {
    LayerPlan { id: id.into(), format, bytes, base, cipher: None, key: None }
}

fn over(id: &str, below: &LayerPlan, bytes: u64) -> LayerPlan {
    let base = LayerBase::Layer { id: below.id.clone(), format: below.format };
    layer(id, LayerFormat::Qcow2, bytes, base)
}

#[tokio::test]
async fn a_blank_volume_is_a_sparse_file_and_is_made_once() {
    let dir = dir();
    let blank = layer("a", LayerFormat::Raw, 1 << 40, LayerBase::Nothing);
    dir.volumes.make(&blank).await.unwrap();
    let path = dir.volumes.path("a", LayerFormat::Raw);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(b"mine").unwrap();
    dir.volumes.make(&blank).await.unwrap();
    let mut read = [0; 4];
    std::fs::File::open(&path).unwrap().read_exact(&mut read).unwrap();
    assert_eq!((&read, path.metadata().unwrap().len()), (b"mine", 1 << 40));
    assert_eq!(dir.volumes.list().await.unwrap(), ["a"]);
    // A part that a crash left.
    std::fs::write(format!("{path}.0.part"), "x").unwrap();
    dir.volumes.remove("a").await.unwrap();
    dir.volumes.remove("a").await.unwrap();
    assert!(dir.volumes.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn too_large_for_the_file_system_is_one_sentence() {
    let dir = dir();
    let huge = layer("a", LayerFormat::Raw, u64::MAX / 2 + 1, LayerBase::Nothing);
    let error = dir.volumes.make(&huge).await.unwrap_err().to_string();
    assert!(error.contains("more than the file system"), "{error}");
    assert!(dir.volumes.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_chain_shows_what_is_below_grows_and_is_one_file_when_flattened() {
    let dir = dir();
    let bottom = layer("a", LayerFormat::Raw, 4 * MIB, LayerBase::Nothing);
    dir.volumes.make(&bottom).await.unwrap();
    let path = dir.volumes.path("a", LayerFormat::Raw);
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(MIB)).unwrap();
    file.write_all(b"below").unwrap();
    let middle = over("b", &bottom, 4 * MIB);
    let mut top = over("c", &middle, 4 * MIB);
    dir.volumes.make(&middle).await.unwrap();
    dir.volumes.make(&top).await.unwrap();
    top.bytes = 8 * MIB;
    dir.volumes.grow(&top).await.unwrap();
    dir.volumes.grow(&top).await.unwrap();
    for format in [LayerFormat::Raw, LayerFormat::Qcow2] {
        let to = dir.path.join("flat");
        let chain = [bottom.clone(), middle.clone(), top.clone()];
        let image = dir.volumes.flatten(&chain, &to, format, None).await.unwrap();
        assert_eq!((image.format.as_str(), image.virtual_size), (format.as_str(), 8 * MIB));
        if format == LayerFormat::Raw {
            let bytes = std::fs::read(&to).unwrap();
            assert_eq!((bytes.len() as u64, &bytes[MIB as usize..][..5]), (8 * MIB, &b"below"[..]));
        } else {
            assert_eq!(crate::files::inspect_image(&to, "qcow2").await.unwrap().virtual_size, 8 * MIB);
        }
    }
}

#[tokio::test]
async fn a_copy_stands_on_nothing() {
    let dir = dir();
    let bottom = layer("a", LayerFormat::Raw, MIB, LayerBase::Nothing);
    dir.volumes.make(&bottom).await.unwrap();
    let path = dir.volumes.path("a", LayerFormat::Raw);
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(b"mine").unwrap();
    let copy = layer("b", LayerFormat::Qcow2, MIB, LayerBase::Nothing);
    dir.volumes.copy(std::slice::from_ref(&bottom), &copy).await.unwrap();
    dir.volumes.copy(&[bottom], &copy).await.unwrap();
    dir.volumes.remove("a").await.unwrap();
    let to = dir.path.join("flat");
    dir.volumes.flatten(&[copy], &to, LayerFormat::Raw, None).await.unwrap();
    assert_eq!(&std::fs::read(&to).unwrap()[..4], b"mine");
    assert_eq!(dir.volumes.list().await.unwrap(), ["b"]);
}

#[tokio::test]
async fn an_image_may_be_deleted_under_its_volumes() {
    let dir = dir();
    let image = dir.path.join("image");
    std::fs::write(&image, vec![7; MIB as usize]).unwrap();
    let base = layer("a", LayerFormat::Raw, MIB, LayerBase::File(image.clone()));
    dir.volumes.make(&base).await.unwrap();
    std::fs::remove_file(&image).unwrap();
    let top = over("b", &base, 2 * MIB);
    dir.volumes.make(&base).await.unwrap();
    dir.volumes.make(&top).await.unwrap();
    let to = dir.path.join("flat");
    dir.volumes.flatten(&[base, top], &to, LayerFormat::Raw, None).await.unwrap();
    let bytes = std::fs::read(&to).unwrap();
    assert_eq!((bytes[0], bytes[MIB as usize], bytes.len() as u64), (7, 0, 2 * MIB));
}

/// With what is written into a file in plain.
fn plain(dir: &Dir, id: &str, text: &[u8]) -> LayerPlan {
    let image = dir.path.join(format!("image-{id}"));
    let mut bytes = vec![0; MIB as usize];
    bytes[..text.len()].copy_from_slice(text);
    std::fs::write(&image, bytes).unwrap();
    layer(id, LayerFormat::Raw, MIB, LayerBase::File(image))
}

fn locked(plan: LayerPlan, key: u8) -> LayerPlan {
    let cipher = super::Cipher::parse("aes-xts-plain64", 256);
    LayerPlan { cipher, key: Some(super::Passphrase::of_key(&[key; 32])), ..plan }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

const TEXT: &[u8] = b"what nobody else may read";

#[tokio::test]
async fn an_encrypted_chain_opens_with_its_key_only_and_shows_nothing_on_the_disk() {
    let dir = dir();
    let image = plain(&dir, "a", TEXT);
    dir.volumes.make(&image).await.unwrap();
    let bottom = locked(layer("b", LayerFormat::Qcow2, MIB, LayerBase::Nothing), 1);
    dir.volumes.copy(&[image], &bottom).await.unwrap();
    let mut top = locked(over("c", &bottom, MIB), 1);
    dir.volumes.make(&top).await.unwrap();
    top.bytes = 2 * MIB;
    dir.volumes.grow(&top).await.unwrap();
    for id in ["b", "c"] {
        let bytes = std::fs::read(dir.volumes.path(id, LayerFormat::Qcow2)).unwrap();
        assert!(!contains(&bytes, TEXT));
    }
    let to = dir.path.join("flat");
    let chain = [bottom.clone(), top.clone()];
    dir.volumes.flatten(&chain, &to, LayerFormat::Raw, None).await.unwrap();
    let bytes = std::fs::read(&to).unwrap();
    assert_eq!((&bytes[..TEXT.len()], bytes.len() as u64), (TEXT, 2 * MIB));

    let wrong = [locked(bottom.clone(), 2)];
    let error = dir.volumes.flatten(&wrong, &to, LayerFormat::Raw, None).await.unwrap_err().to_string();
    assert!(error.contains("Invalid password"), "{error}");
    for (lost, told) in [
        (LayerPlan { key: None, ..bottom.clone() }, "its key is not known"),
        (LayerPlan { cipher: None, ..bottom }, "is encrypted"),
        // As if somebody had put another file there.
        (locked(LayerPlan { id: "d".into(), ..top.clone() }, 1), "not encrypted any more"),
    ] {
        if lost.id == "d" {
            dir.volumes.make(&over("d", &top, MIB)).await.unwrap();
        }
        let refused = dir.volumes.flatten(&[lost], &to, LayerFormat::Raw, None).await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let blank = layer("e", LayerFormat::Qcow2, MIB, LayerBase::Nothing);
    let lost = LayerPlan { key: None, ..locked(blank, 1) };
    assert!(dir.volumes.make(&lost).await.is_err());
    assert!(!dir.volumes.list().await.unwrap().contains(&"e".to_owned()));
}

#[tokio::test]
async fn an_encrypted_volume_is_an_encrypted_image_and_that_a_volume_again() {
    let dir = dir();
    let source = plain(&dir, "a", TEXT);
    dir.volumes.make(&source).await.unwrap();
    let image = dir.path.join("image");
    let of = locked(source.clone(), 1);
    dir.volumes.flatten(&[source], &image, LayerFormat::Raw, of.lock().unwrap()).await.unwrap();
    let bytes = std::fs::read(&image).unwrap();
    assert!(bytes.starts_with(b"LUKS") && !contains(&bytes, TEXT));
    let base = locked(layer("b", LayerFormat::Raw, MIB, LayerBase::File(image)), 1);
    let top = locked(over("c", &base, MIB), 1);
    dir.volumes.make(&base).await.unwrap();
    dir.volumes.make(&top).await.unwrap();
    let to = dir.path.join("flat");
    dir.volumes.flatten(&[base, top], &to, LayerFormat::Raw, None).await.unwrap();
    assert!(std::fs::read(&to).unwrap().starts_with(TEXT));
}

const PLACES: u64 = 16;

/// A place of a disk is 64 KiB, and shows one byte all over.
fn write(dir: &Dir, layer: &LayerPlan, at: u64, byte: u8) {
    let path = dir.volumes.path(&layer.id, layer.format);
    let command = match byte {
        0 => format!("write -z -u {} 64k", at * 65536),
        _ => format!("write -P {byte} {} 64k", at * 65536),
    };
    let mut node = serde_json::json!({
        "driver": layer.format.as_str(), "file": {"driver": "file", "filename": path.as_str()}, "discard": "unmap",
    });
    if layer.format == LayerFormat::Qcow2 {
        // Something is below it: else what is set to zeros would be left out.
        let zeros = dir.path.join("zeros");
        std::fs::File::create(&zeros).unwrap().set_len(PLACES * 65536).unwrap();
        node["backing"] =
            serde_json::json!({"driver": "raw", "file": {"driver": "file", "filename": zeros.as_str()}});
    }
    let done = std::process::Command::new("qemu-io").args(["-c", &command, &format!("json:{node}")]).output();
    let done = done.unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

async fn shown(dir: &Dir, chain: &[LayerPlan]) -> Vec<u8> {
    let to = dir.path.join("flat");
    dir.volumes.flatten(chain, &to, LayerFormat::Raw, None).await.unwrap();
    std::fs::read(&to).unwrap().chunks(65536).map(|place| place[0]).collect()
}

/// Writes, snapshots, merges of any two layers, some cut off: every chain that there ever was and whose files are there shows
/// what was written.
#[tokio::test]
async fn layers_merge_and_nobody_sees_a_difference() {
    use rand::{RngExt, SeedableRng};
    for seed in 0..6 {
        let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
        let dir = dir();
        let mut chain = vec![layer("0", LayerFormat::Raw, PLACES * 65536, LayerBase::Nothing)];
        dir.volumes.make(&chain[0]).await.unwrap();
        let mut model = vec![0_u8; PLACES as usize];
        for step in 1..24_u8 {
            for _ in 0..3 {
                let (at, byte) = (dice.random_range(0..PLACES), if dice.random_bool(0.3) { 0 } else { step });
                write(&dir, chain.last().unwrap(), at, byte);
                model[at as usize] = byte;
            }
            let top = over(&step.to_string(), chain.last().unwrap(), PLACES * 65536);
            dir.volumes.make(&top).await.unwrap();
            chain.push(top);
            if chain.len() < 4 {
                continue;
            }
            // Not the uppermost, which is written.
            let lower = dice.random_range(0..chain.len() - 2);
            let old = chain.clone();
            if dice.random_bool(0.5) {
                let cut = std::time::Duration::from_millis(dice.random_range(0..20));
                drop(tokio::time::timeout(cut, dir.volumes.merge(&chain[..lower + 2])).await);
                assert_eq!(shown(&dir, &chain).await, model, "seed {seed}, cut off");
            }
            // The one that was cut off may be at it yet.
            while dir.volumes.merge(&chain[..lower + 2]).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            assert_eq!(shown(&dir, &old).await, model, "seed {seed}, before anybody knows");
            dir.volumes.remove(&chain.remove(lower + 1).id).await.unwrap();
            assert_eq!(shown(&dir, &chain).await, model, "seed {seed}, after");
        }
        assert!(chain.len() < 5);
    }
}

#[tokio::test]
async fn a_merged_layer_is_as_large_as_what_stood_on_it() {
    let dir = dir();
    let mut chain = vec![layer("a", LayerFormat::Raw, MIB, LayerBase::Nothing)];
    chain.push(over("b", &chain[0], 4 * MIB));
    chain.push(over("c", &chain[1], 4 * MIB));
    for layer in &chain {
        dir.volumes.make(layer).await.unwrap();
    }
    write(&dir, &chain[1], 5, 7);
    // Whoever keeps the file under another name keeps it as it is.
    let (path, kept) = (dir.volumes.path("a", LayerFormat::Raw), dir.path.join("kept"));
    std::fs::hard_link(&path, &kept).unwrap();
    assert!(matches!(dir.volumes.merge(&chain[..2]).await, Err(crate::Error::Refused(_))));
    std::fs::remove_file(&kept).unwrap();
    dir.volumes.merge(&chain[..2]).await.unwrap();
    assert_eq!(dir.volumes.path("a", LayerFormat::Raw).metadata().unwrap().len(), 4 * MIB);
    chain.remove(1);
    chain[0].bytes = 4 * MIB;
    assert_eq!(shown(&dir, &chain).await[5], 7);
    assert!(dir.volumes.merge(&chain[..1]).await.is_err());
}

#[tokio::test]
async fn a_difference_has_what_differs_and_no_more() {
    let dir = dir();
    let mut chain = vec![layer("a", LayerFormat::Raw, PLACES * 65536, LayerBase::Nothing)];
    dir.volumes.make(&chain[0]).await.unwrap();
    for at in 0..8 {
        write(&dir, &chain[0], at, 1);
    }
    let whole = layer("whole", LayerFormat::Qcow2, PLACES * 65536, LayerBase::Nothing);
    dir.volumes.copy(&chain, &whole).await.unwrap();
    let mut kept = vec![whole];
    let mut model = vec![shown(&dir, &chain).await];
    for turn in 1..4_u8 {
        // The volume has grown, too.
        let bytes = (PLACES + u64::from(turn)) * 65536;
        chain.push(over(&format!("v{turn}"), chain.last().unwrap(), bytes));
        dir.volumes.make(chain.last().unwrap()).await.unwrap();
        write(&dir, chain.last().unwrap(), u64::from(turn), 1 + turn);
        write(&dir, chain.last().unwrap(), 7 - u64::from(turn), 0);
        write(&dir, chain.last().unwrap(), 0, 1);
        let next = over(&format!("d{turn}"), kept.last().unwrap(), bytes);
        dir.volumes.difference(&chain, &kept, &next).await.unwrap();
        dir.volumes.difference(&chain, &kept, &next).await.unwrap();
        kept.push(next);
        model.push(shown(&dir, &chain).await);
        let size = dir.volumes.path(&format!("d{turn}"), LayerFormat::Qcow2).metadata().unwrap().len();
        assert!(size < 8 * 65536, "one place, and the format's tables: {size}");
    }
    for (at, model) in model.iter().enumerate() {
        assert_eq!(shown(&dir, &kept[..=at]).await, *model);
    }
    // Standing on as many files as the tool has room to name.
    let many: Vec<LayerPlan> = (0..20).map(|_| kept[0].clone()).collect();
    let next = over("x", &kept[0], PLACES * 65536);
    assert!(dir.volumes.difference(&chain, &many, &next).await.is_err());
    assert!(!dir.volumes.list().await.unwrap().contains(&"x".to_owned()));
}
