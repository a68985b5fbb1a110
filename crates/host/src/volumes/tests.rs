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
    LayerPlan { id: id.into(), format, bytes, base }
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
        let image = dir.volumes.flatten(&chain, &to, format).await.unwrap();
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
    dir.volumes.flatten(&[copy], &to, LayerFormat::Raw).await.unwrap();
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
    dir.volumes.flatten(&[base, top], &to, LayerFormat::Raw).await.unwrap();
    let bytes = std::fs::read(&to).unwrap();
    assert_eq!((bytes[0], bytes[MIB as usize], bytes.len() as u64), (7, 0, 2 * MIB));
}
