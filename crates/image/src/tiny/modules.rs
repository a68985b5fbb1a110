//! Kernel modules: which files a few names stand for, with all that they need, in the order to load them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::Command;
use crate::{Error, Result};

/// The modules of one kernel.
#[derive(Debug)]
pub(super) struct Modules {
    /// `6.12.9-cloud-amd64`.
    pub release: String,
    files: BTreeMap<String, Utf8PathBuf>,
}

/// A module, unpacked: decompressing it once here is cheaper than in every boot of an emulated guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    pub name: String,
    pub code: Vec<u8>,
    depends: Vec<String>,
    aliases: Vec<String>,
}

impl Modules {
    /// Those below `root/usr/lib/modules`, where one kernel is expected.
    pub(super) fn scan(root: &Utf8Path) -> Result<Modules> {
        let parent = root.join("usr/lib/modules");
        let dir = parent
            .read_dir_utf8()
            .map_err(Error::io("list", &parent))?
            .flatten()
            .map(|entry| entry.into_path())
            .find(|path| path.join("kernel").is_dir())
            .ok_or_else(|| Error::Missing { path: parent, from: "from the kernel's package".into() })?;
        let mut files = BTreeMap::new();
        collect(&dir.join("kernel"), &mut files)?;
        Ok(Modules { release: dir.file_name().unwrap_or_default().to_owned(), files })
    }

    /// `names` with all that they depend on; each after what it needs, none twice.
    pub(super) fn closure(&self, names: &[&str]) -> Result<Vec<Module>> {
        order(names, |name| self.load(name))
    }

    fn load(&self, name: &str) -> Result<Module> {
        let path = self.files.get(name).ok_or_else(|| Error::Missing {
            path: format!("{name}.ko").into(),
            from: format!("among the modules of kernel {}", self.release),
        })?;
        let code = match path.extension() {
            Some("xz") => unpacked("xz", path)?,
            Some("zst") => unpacked("zstd", path)?,
            Some("gz") => unpacked("gzip", path)?,
            _ => fs::read(path).map_err(Error::io("read", path))?,
        };
        let depends = tagged(&code, "depends=").into_iter().next().ok_or_else(|| Error::Invalid {
            what: path.to_string(),
            why: "it does not say on which modules it depends".into(),
        })?;
        let depends = depends.split(',').filter(|name| !name.is_empty()).map(canonical).collect();
        Ok(Module { name: name.to_owned(), depends, aliases: tagged(&code, "alias="), code })
    }
}

fn collect(dir: &Utf8Path, files: &mut BTreeMap<String, Utf8PathBuf>) -> Result<()> {
    for entry in dir.read_dir_utf8().map_err(Error::io("list", dir))? {
        let entry = entry.map_err(Error::io("list", dir))?;
        let path = entry.path();
        if path.is_dir() {
            collect(path, files)?;
        } else if let Some((name, _)) = path.file_name().and_then(|name| name.split_once(".ko")) {
            files.insert(canonical(name), path.to_owned());
        }
    }
    Ok(())
}

/// Names are written with `-` or `_` as it pleases; the kernel means the same.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn unpacked(program: &str, path: &Utf8Path) -> Result<Vec<u8>> {
    let scratch = tempfile::NamedTempFile::new().map_err(Error::io("create a file in", "/tmp"))?;
    let out = Utf8Path::from_path(scratch.path()).unwrap_or(Utf8Path::new("/dev/null"));
    Command::new(program).args(["-dc", path.as_str()]).stdout_to(out).run()?;
    fs::read(out).map_err(Error::io("read", out))
}

/// The values of a tag in a module's `.modinfo`: strings that end with a zero byte.
fn tagged(code: &[u8], tag: &str) -> Vec<String> {
    let tag = tag.as_bytes();
    code.split(|byte| *byte == 0)
        .filter_map(|text| text.strip_prefix(tag))
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn order(names: &[&str], mut load: impl FnMut(&str) -> Result<Module>) -> Result<Vec<Module>> {
    fn visit(
        name: &str,
        seen: &mut BTreeSet<String>,
        list: &mut Vec<Module>,
        load: &mut dyn FnMut(&str) -> Result<Module>,
    ) -> Result<()> {
        if !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let module = load(name)?;
        for needed in &module.depends {
            visit(needed, seen, list, load)?;
        }
        list.push(module);
        Ok(())
    }
    let (mut seen, mut list) = (BTreeSet::new(), Vec::new());
    for name in names {
        visit(name, &mut seen, &mut list, &mut load)?;
    }
    Ok(list)
}

/// `modules.dep`: each line names a module, then all it needs; modprobe loads these from the last to the first.
pub(super) fn dep(modules: &[Module]) -> String {
    let by_name: BTreeMap<&str, &Module> =
        modules.iter().map(|module| (module.name.as_str(), module)).collect();
    let mut text = String::new();
    for module in modules {
        let mut needs: BTreeSet<&str> = BTreeSet::new();
        let mut todo: Vec<&str> = module.depends.iter().map(String::as_str).collect();
        while let Some(name) = todo.pop() {
            if needs.insert(name)
                && let Some(module) = by_name.get(name)
            {
                todo.extend(module.depends.iter().map(String::as_str));
            }
        }
        text.push_str(&format!("kernel/{}.ko:", module.name));
        // `modules` lists what is needed before what needs it, so its reverse is modprobe's order.
        for needed in modules.iter().rev().filter(|other| needs.contains(other.name.as_str())) {
            text.push_str(&format!(" kernel/{}.ko", needed.name));
        }
        text.push('\n');
    }
    text
}

/// `modules.alias`, by which the kernel asks for a file system or a kind of link it has no driver for.
pub(super) fn alias(modules: &[Module]) -> String {
    modules
        .iter()
        .flat_map(|module| module.aliases.iter().map(|alias| format!("alias {alias} {}\n", module.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> Result<Module> {
        let depends: &[&str] = match name {
            "virtio_net" => &["net_failover"],
            "net_failover" => &["failover"],
            "sd_mod" | "virtio_scsi" => &["scsi_mod"],
            _ => &[],
        };
        let depends = depends.iter().map(|&name| name.to_owned()).collect();
        Ok(Module { name: name.into(), code: Vec::new(), depends, aliases: vec![format!("of-{name}")] })
    }

    #[test]
    fn needed_modules_come_first_and_once() {
        let list = order(&["virtio_net", "sd_mod", "virtio_scsi"], module).unwrap();
        let names: Vec<_> = list.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["failover", "net_failover", "virtio_net", "scsi_mod", "sd_mod", "virtio_scsi"]);
    }

    #[test]
    fn dep_lists_all_needed_the_deepest_last() {
        let list = order(&["virtio_net"], module).unwrap();
        assert_eq!(
            dep(&list),
            "kernel/failover.ko:\n\
             kernel/net_failover.ko: kernel/failover.ko\n\
             kernel/virtio_net.ko: kernel/net_failover.ko kernel/failover.ko\n"
        );
        assert_eq!(alias(&list).lines().next(), Some("alias of-failover failover"));
    }

    #[test]
    fn tags_are_found_between_zero_bytes() {
        let code = b"\x7fELF\0\0license=GPL\0depends=fat,nls-base\0alias=fs-vfat\0alias=x\0";
        assert_eq!(tagged(code, "depends="), ["fat,nls-base"]);
        assert_eq!(tagged(code, "alias="), ["fs-vfat", "x"]);
    }
}
