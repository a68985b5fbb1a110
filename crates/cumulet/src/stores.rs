//! Stores of images that lie outside of the data directory: what is the cloud's own in them, for whoever copies the cloud,
//! takes it back to an earlier state or removes it. Other files in them are somebody else's.

use anyhow::{Context, anyhow};
use camino::{Utf8Path, Utf8PathBuf};

use crate::config::{Settings, keys};

/// In a store: its images as they were when a simulated cloud was marked.
pub const FIRST_START: &str = "first-start";
/// In a store: its images while an archive is written.
pub const BACKUP: &str = "backup.part";

/// Ids and directories.
pub type Stores = Vec<(String, Utf8PathBuf)>;

/// As they were told, now or at an earlier start.
pub fn of(settings: &Settings) -> anyhow::Result<Stores> {
    keys::stores(settings.text("image-stores")).map_err(|why| anyhow!(why))
}

/// As the setting has it.
pub fn text(stores: &[(String, Utf8PathBuf)]) -> String {
    stores.iter().map(|(id, dir)| format!("{id}={dir}")).collect::<Vec<_>>().join(",")
}

/// An image's data (`<id>`), or what is on its way to be that (`<id>.part`).
fn is_ours(name: &str) -> bool {
    name.split('.').next().is_some_and(base::id::is_uuid)
}

fn names(dir: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let entries = match dir.read_dir_utf8() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read the image store {dir}"))?,
    };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_owned()).collect();
    Ok(names.into_iter().filter(|name| is_ours(name)).collect())
}

/// Second names, in the new directory `to`, for all data of images in `from`, which never changes in place. Both are on
/// one disk.
pub fn keep(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
    link(from, to)
}

/// The images of `from`, and no others, are in the store afterwards.
pub fn put_back(from: &Utf8Path, store: &Utf8Path) -> anyhow::Result<()> {
    clear(store)?;
    link(from, store)
}

fn link(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    for name in names(from)?.iter().filter(|name| base::id::is_uuid(name)) {
        let to = to.join(name);
        match std::fs::hard_link(from.join(name), &to) {
            // Deleted meanwhile, as a user may.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            linked => linked.with_context(|| format!("cannot make {to}"))?,
        }
    }
    Ok(())
}

fn clear(dir: &Utf8Path) -> anyhow::Result<()> {
    for name in names(dir)? {
        let path = dir.join(name);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {path}"))?;
    }
    Ok(())
}

/// What [`keep`] made.
pub fn drop_kept(kept: &Utf8Path) -> anyhow::Result<()> {
    clear(kept)?;
    match std::fs::remove_dir(kept) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {kept}"))
        }
        _ => Ok(()),
    }
}

/// Nothing of the cloud's is in the store afterwards.
pub fn destroy(dir: &Utf8Path) -> anyhow::Result<()> {
    for kept in [FIRST_START, BACKUP] {
        drop_kept(&dir.join(kept))?;
    }
    clear(dir)
}

/// Of this directory and those above it, the ones that are not there yet.
pub fn missing(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    dir.ancestors().take_while(|path| !path.exists()).map(Utf8Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clouds_own_files_are_kept_and_cleared() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(temporary.path()).unwrap();
        let store = dir.join("a/store");
        assert_eq!(missing(&store), [store.clone(), dir.join("a")]);
        std::fs::create_dir_all(&store).unwrap();
        assert!(missing(&store).is_empty());
        let id = base::id::uuid();
        for name in [&id, &format!("{id}.part"), "holiday.jpg"] {
            std::fs::write(store.join(name), name).unwrap();
        }
        let listed = |dir: &Utf8Path| {
            let mut names: Vec<_> =
                dir.read_dir_utf8().unwrap().map(|e| e.unwrap().file_name().to_owned()).collect();
            names.sort();
            names
        };
        let kept = store.join(FIRST_START);
        keep(&store, &kept).unwrap();
        assert_eq!(listed(&kept), [id.as_str()]);
        std::fs::remove_file(store.join(&id)).unwrap();
        std::fs::write(store.join(base::id::uuid()), "newer").unwrap();
        put_back(&kept, &store).unwrap();
        let mut there = [FIRST_START, "holiday.jpg", &id];
        there.sort_unstable();
        assert_eq!(listed(&store), there);
        assert_eq!(std::fs::read_to_string(store.join(&id)).unwrap(), id);
        destroy(&store).unwrap();
        assert_eq!(listed(&store), ["holiday.jpg"]);
        destroy(&dir.join("never made")).unwrap();
    }
}
