//! What data is, by its first bytes: an image is what its `disk_format` says and reaches outside itself by no backing or
//! data file.
//!
//! qcow2, which machines run from, is looked at by the tool that opens it later, under limits. The others are only kept,
//! so a look at their headers is enough.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use base::{Error, Result};
use camino::Utf8Path;

use super::files::told;
use crate::images::Image;

/// Formats that have a look of their own. `disk_format` may name others, which cannot be told from raw data.
const KNOWN: [&str; 7] = ["qcow2", "vmdk", "vdi", "vhdx", "vhd", "iso", "raw"];

/// The size of the disk that a guest would see. 415 when the data is something else than the image says.
pub async fn inspect(image: &Image, size: i64, path: &Utf8Path) -> Result<Option<i64>> {
    let declared = image.disk_format.clone().unwrap_or_default();
    if size == 0 || image.container_format.as_deref() != Some("bare") {
        return Ok(None);
    }
    let owned = path.to_owned();
    let look = tokio::task::spawn_blocking(move || Look::at(&owned)).await.map_err(Error::internal)??;
    let refused = |why: &str| Error::unsupported_media_type(why);
    if look.format == "qcow2" {
        // Also behind another name: a file that names others is refused whatever it is called.
        let found = match host::files::inspect_image(path, "qcow2").await {
            Ok(info) => i64::try_from(info.virtual_size).ok(),
            Err(host::Error::Image(why)) => {
                return Err(refused(&format!("Image failed safety checks: {why}")));
            }
            Err(other) => return Err(Error::internal(other)),
        };
        return match declared.as_str() {
            "qcow2" => Ok(found),
            "raw" => Ok(Some(size)),
            other => Err(refused(&mismatch(other, "qcow2"))),
        };
    }
    if let Some(why) = look.unsafe_because {
        return Err(refused(&format!("Image failed safety checks: {why}")));
    }
    if declared == look.format {
        return Ok(look.virtual_size.or(Some(size)));
    }
    match declared.as_str() {
        "raw" => Ok(Some(size)),
        other if look.format == "raw" && !KNOWN.contains(&other) => Ok(None),
        other => Err(refused(&mismatch(other, look.format))),
    }
}

fn mismatch(declared: &str, found: &str) -> String {
    format!("Image disk_format {declared} does not match stream data {found}")
}

#[derive(Debug, PartialEq, Eq)]
struct Look {
    format: &'static str,
    virtual_size: Option<i64>,
    unsafe_because: Option<String>,
}

impl Look {
    fn at(path: &Utf8Path) -> Result<Look> {
        let failed = |e| told("look into", path, e);
        let mut file = File::open(path).map_err(failed)?;
        let mut read = |at: u64, length: usize| -> std::io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::new();
            (&mut file).take(length as u64).read_to_end(&mut bytes)?;
            bytes.resize(length, 0);
            Ok(bytes)
        };
        let head = read(0, 1024).map_err(failed)?;
        let plain = |format, virtual_size| Look { format, virtual_size, unsafe_because: None };
        if head.starts_with(b"QFI\xfb") {
            return Ok(plain("qcow2", None));
        }
        if head.starts_with(b"KDMV") {
            return vmdk(&head, &mut read).map_err(failed);
        }
        if head.starts_with(b"conectix") {
            return Ok(plain("vhd", big(&head, 48)));
        }
        if head.starts_with(b"vhdxfile") {
            return Ok(plain("vhdx", vhdx(&mut read).map_err(failed)?));
        }
        if head.get(64..68) == Some(b"\x7f\x10\xda\xbe") {
            return Ok(plain("vdi", little(&head, 0x170, 8)));
        }
        let volume = read(0x8000, 2048).map_err(failed)?;
        if volume.get(1..6) == Some(b"CD001") {
            let blocks = little(&volume, 80, 4).unwrap_or(0);
            let block = little(&volume, 128, 2).unwrap_or(0);
            return Ok(plain("iso", blocks.checked_mul(block)));
        }
        Ok(plain("raw", None))
    }
}

type Reader<'a> = dyn FnMut(u64, usize) -> std::io::Result<Vec<u8>> + 'a;

/// A VMDK's text part names its extents: only one, inside the file itself, is safe.
fn vmdk(head: &[u8], read: &mut Reader<'_>) -> std::io::Result<Look> {
    const SECTOR: i64 = 512;
    let virtual_size = little(head, 12, 8).and_then(|n| n.checked_mul(SECTOR));
    let at = little(head, 28, 8).unwrap_or(0);
    let sectors = little(head, 36, 8).unwrap_or(0).clamp(0, 64);
    let text = read(
        u64::try_from(at).unwrap_or(0).saturating_mul(512),
        usize::try_from(sectors * SECTOR).unwrap_or(0),
    )?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let kind = text
        .lines()
        .find_map(|l| l.strip_prefix("createType="))
        .map(|k| k.trim().trim_matches('"').to_owned());
    let extents = text.lines().filter(|l| l.starts_with("RW ") || l.starts_with("RDONLY ")).count();
    let unsafe_because = match kind.as_deref() {
        Some("monolithicSparse" | "streamOptimized") if extents == 1 => None,
        Some("monolithicSparse" | "streamOptimized") => Some("the VMDK has more than one extent".to_owned()),
        Some(other) => Some(format!("the VMDK is of type {other}")),
        None => Some("the VMDK has no description".to_owned()),
    };
    Ok(Look { format: "vmdk", virtual_size, unsafe_because })
}

/// The virtual size is in the metadata region, which the region table points to.
fn vhdx(read: &mut Reader<'_>) -> std::io::Result<Option<i64>> {
    const METADATA: [u8; 16] =
        [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
    const SIZE: [u8; 16] =
        [0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8];
    let table = read(192 << 10, 64 << 10)?;
    let entries = little(&table, 8, 4).unwrap_or(0).clamp(0, 2047);
    let region = (0..entries)
        .map(|i| 16 + 32 * usize::try_from(i).unwrap_or(0))
        .find(|at| table.get(*at..*at + 16) == Some(METADATA.as_slice()));
    let Some(region) = region.and_then(|at| little(&table, at + 16, 8)).and_then(|at| u64::try_from(at).ok())
    else {
        return Ok(None);
    };
    let metadata = read(region, 64 << 10)?;
    let items = little(&metadata, 10, 2).unwrap_or(0).clamp(0, 2047);
    let item = (0..items)
        .map(|i| 32 + 32 * usize::try_from(i).unwrap_or(0))
        .find(|at| metadata.get(*at..*at + 16) == Some(SIZE.as_slice()));
    let Some(offset) =
        item.and_then(|at| little(&metadata, at + 16, 4)).and_then(|at| u64::try_from(at).ok())
    else {
        return Ok(None);
    };
    Ok(little(&read(region.saturating_add(offset), 8)?, 0, 8))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<i64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    let n = field.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    i64::try_from(n).ok()
}

fn big(bytes: &[u8], at: usize) -> Option<i64> {
    let field: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
    i64::try_from(u64::from_be_bytes(field)).ok()
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::{Look, inspect};
    use crate::images::rules;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("x")).unwrap();
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn put(at: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; at];
        for (at, part) in parts {
            bytes[*at..at + part.len()].copy_from_slice(part);
        }
        bytes
    }

    fn vmdk(kind: &str, extents: usize) -> Vec<u8> {
        let text = format!(
            "# Disk DescriptorFile\ncreateType=\"{kind}\"\n{}",
            "RW 8 SPARSE \"x\"\n".repeat(extents)
        );
        put(2048, &[(0, b"KDMV"), (12, &[8]), (28, &[1]), (36, &[2]), (512, text.as_bytes())])
    }

    #[test]
    fn formats_are_known_by_their_heads() {
        for (bytes, format, size) in [
            (put(2048, &[(0, b"plain")]), "raw", None),
            (put(1024, &[(0, b"conectix"), (48, &4096_u64.to_be_bytes())]), "vhd", Some(4096)),
            (put(1024, &[(64, b"\x7f\x10\xda\xbe"), (0x170, &4096_u64.to_le_bytes())]), "vdi", Some(4096)),
            (put(0x8800, &[(0x8001, b"CD001"), (0x8050, &[3]), (0x8080, &[0, 8])]), "iso", Some(6144)),
            (vmdk("monolithicSparse", 1), "vmdk", Some(4096)),
        ] {
            let (_dir, path) = file(&bytes);
            let look = Look::at(&path).unwrap();
            assert_eq!((look.format, look.virtual_size, look.unsafe_because), (format, size, None));
        }
        for bytes in [vmdk("monolithicFlat", 1), vmdk("monolithicSparse", 2), put(1024, &[(0, b"KDMV")])] {
            let (_dir, path) = file(&bytes);
            assert!(Look::at(&path).unwrap().unsafe_because.is_some());
        }
    }

    #[tokio::test]
    async fn an_image_is_what_it_says() {
        let iso = put(0x8800, &[(0x8001, b"CD001")]);
        let plain = put(2048, &[(0, b"plain")]);
        for (declared, container, bytes, fits) in [
            ("iso", "bare", &iso, true),
            ("raw", "bare", &iso, true),
            ("vmdk", "bare", &iso, false),
            ("iso", "bare", &plain, false),
            ("qcow2", "bare", &plain, false),
            ("raw", "bare", &plain, true),
            ("ami", "ami", &plain, true),
            ("ploop", "bare", &plain, true),
            ("vmdk", "ova", &plain, true),
            ("raw", "bare", &vmdk("monolithicFlat", 1), false),
        ] {
            let mut image = rules::blank(None);
            image.disk_format = Some(declared.into());
            image.container_format = Some(container.into());
            let (_dir, path) = file(bytes);
            let found = inspect(&image, bytes.len() as i64, &path).await;
            assert_eq!(found.is_ok(), fits, "{declared} in {container}: {found:?}");
        }
    }
}
