//! Building a product's programs with Go, as static programs for this image's guests.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::go_mod;
use super::product::{KUBERNETES, Product};
use crate::process::{self, Command};
use crate::{Error, Key, Result};

/// Raise it when the way of building changes what comes out.
const RECIPE: &str = "go/1";

/// What decides about the programs that come out.
pub(super) fn key(product: &Product, version: &str) -> Key {
    let mut key = Key::new(RECIPE).with("product", product.name).with("version", version);
    for (path, text) in product.sources {
        key = key.with(path, text);
    }
    if version == product.pinned() {
        key.with("go.mod", product.go_mod).with("go.sum", product.go_sum)
    } else {
        key
    }
}

/// Builds all programs of `product` into the directory `out`, working in `scratch`.
///
/// # Errors
/// Go is not installed or too old, the version is not published, or the build fails.
pub(super) fn build(product: &Product, version: &str, scratch: &Utf8Path, out: &Utf8Path) -> Result<()> {
    require_go()?;
    if product.cgo {
        process::require(&["gcc"])?;
    }
    let module = scratch.join(format!("module-{}", product.name));
    fs::create_dir_all(&module).map_err(Error::io("create", &module))?;
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    for (path, text) in product.sources {
        let path = module.join(path);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        }
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    if version == product.pinned() {
        put(&module, "go.mod", product.go_mod)?;
        put(&module, "go.sum", product.go_sum)?;
    } else {
        generate(product, version, &module)?;
    }
    // One run for all, so that what they share is compiled once; Go names each after its package's last element.
    go(&module)
        .args(arguments(product, version, out))
        .env("CGO_ENABLED", if product.cgo { "1" } else { "0" })
        .run()?;
    for program in product.programs {
        rename(program.package, &out.join(program.name), out)?;
    }
    Ok(())
}

fn arguments(product: &Product, version: &str, out: &Utf8Path) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["build", "-trimpath", "-mod=readonly", "-buildvcs=false"].map(str::to_owned).into();
    if !product.tags.is_empty() {
        arguments.push(format!("-tags={}", product.tags));
    }
    arguments.push(format!("-ldflags={}", linker_flags(product, version)));
    arguments.push("-o".into());
    arguments.push(format!("{out}/"));
    arguments.extend(product.programs.iter().map(|program| program.package.to_owned()));
    arguments
}

fn linker_flags(product: &Product, version: &str) -> String {
    let mut flags = "-s -w".to_owned();
    for variable in product.version_variables {
        flags += &format!(" -X {variable}={version}");
    }
    if product.name == KUBERNETES.name {
        let mut numbers = version.trim_start_matches('v').split('.');
        for (name, number) in [("gitMajor", numbers.next()), ("gitMinor", numbers.next())] {
            flags += &format!(" -X k8s.io/component-base/version.{name}={}", number.unwrap_or_default());
        }
        flags += " -X k8s.io/component-base/version.gitTreeState=archive";
    }
    if product.cgo {
        flags += " -linkmode external -extldflags \"-static\"";
    }
    flags
}

/// The element of a package's path after which Go names its program: the last, unless that is a major version.
fn default_name(package: &str) -> &str {
    let mut elements = package.rsplit('/');
    let last = elements.next().unwrap_or(package);
    let is_major =
        last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if is_major { elements.next().unwrap_or(last) } else { last }
}

fn rename(package: &str, wanted: &Utf8Path, out: &Utf8Path) -> Result<()> {
    let built = out.join(default_name(package));
    if built != wanted {
        fs::rename(&built, wanted).map_err(Error::io("rename", &built))?;
    }
    Ok(())
}

/// Writes a module for a version that is not pinned. Its checksums come from Go's public checksum database, as
/// for any new dependency.
fn generate(product: &Product, version: &str, module: &Utf8Path) -> Result<()> {
    let upstream = download(product, version, module)?;
    let libraries = version.replacen("v1.", "v0.", 1);
    let replaced: Vec<(&str, String)> = if product.name == KUBERNETES.name {
        go_mod::staging(&upstream)?.into_iter().map(|module| (module, libraries.clone())).collect()
    } else {
        Vec::new()
    };
    put(module, "go.mod", &go_mod::write(product, version, &replaced))?;
    go(module).args(["mod", "tidy"]).run().map_err(|err| not_available(product, version, &err))
}

/// The product's own go.mod at that version.
fn download(product: &Product, version: &str, module: &Utf8Path) -> Result<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        go_mod: Utf8PathBuf,
    }
    put(module, "go.mod", "module cumulet.local/look\n")?;
    let name = product.modules.first().copied().unwrap_or_default();
    let told = go(module)
        .args(["mod", "download", "-json", &format!("{name}@{version}")])
        .output()
        .map_err(|err| not_available(product, version, &err))?;
    let told: Downloaded = serde_json::from_str(&told).map_err(|err| Error::Invalid {
        what: format!("what `go mod download {name}@{version}` said"),
        why: err.to_string(),
    })?;
    fs::read_to_string(&told.go_mod).map_err(Error::io("read", &told.go_mod))
}

fn not_available(product: &Product, version: &str, err: &Error) -> Error {
    tracing::debug!(product = product.name, version, error = %err, "not available as a Go module");
    let reason = match err {
        Error::CommandFailed { stderr, .. } => reason(stderr),
        other => other.to_string(),
    };
    Error::VersionNotAvailable {
        what: product.title.into(),
        wanted: version.into(),
        why: format!("it cannot be had as a Go module ({reason}); {} is known to build", product.pinned()),
    }
}

/// The line that says why, out of what Go said; with `-json` it is a field of its output.
fn reason(said: &str) -> String {
    let line = said
        .lines()
        .map(str::trim)
        .find_map(|line| line.strip_prefix("\"Error\": \""))
        .map(|text| text.trim_end_matches([',', '"']))
        .or_else(|| said.lines().map(str::trim).rfind(|line| !line.is_empty()))
        .unwrap_or("it said nothing");
    line.split("\\n").next().unwrap_or(line).to_owned()
}

/// 1.21 is the first that fetches the toolchain which a module asks for.
fn require_go() -> Result<()> {
    let told = Command::new("go").args(["env", "GOVERSION"]).output()?;
    let told = told.trim();
    let minor =
        told.strip_prefix("go1.").and_then(|rest| rest.split('.').next()).and_then(|n| n.parse::<u32>().ok());
    match minor {
        Some(minor) if minor < 21 => Err(Error::Invalid {
            what: format!("the installed Go, {told},"),
            why:
                "1.21 or newer is needed to build Kubernetes; Debian 12 has it in backports, Debian 13 has it"
                    .into(),
        }),
        _ => Ok(()),
    }
}

fn go(module: &Utf8Path) -> Command {
    Command::new("go")
        .dir(module)
        .env("GOOS", "linux")
        .env("GOARCH", "amd64")
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        // Debian's Go is set to refuse newer toolchains.
        .env("GOTOOLCHAIN", "auto")
}

fn put(dir: &Utf8Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::super::product::{COREDNS, ETCD, FLANNEL};
    use super::*;

    #[test]
    fn arguments_of_the_build() {
        let shown = arguments(&COREDNS, "v1.14.2", Utf8Path::new("/out")).join(" ");
        assert_eq!(
            shown,
            "build -trimpath -mod=readonly -buildvcs=false -tags=grpcnotrace -ldflags=-s -w -o /out/ \
             github.com/coredns/coredns"
        );
    }

    #[test]
    fn version_is_linked_in() {
        assert_eq!(
            linker_flags(&KUBERNETES, "v1.36.3"),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36 \
             -X k8s.io/component-base/version.gitTreeState=archive"
        );
        assert!(linker_flags(&FLANNEL, "v0.28.4").ends_with("-linkmode external -extldflags \"-static\""));
    }

    #[test]
    fn programs_are_named_after_their_package() {
        assert_eq!(default_name("k8s.io/kubernetes/cmd/kubelet"), "kubelet");
        assert_eq!(default_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(default_name("example.com/vx"), "vx");
    }

    #[test]
    fn key_follows_the_pinned_module() {
        let pinned = key(&ETCD, ETCD.pinned()).hex();
        let changed = Product { go_sum: "other", ..ETCD };
        assert_ne!(pinned, key(&changed, ETCD.pinned()).hex());
        assert_ne!(pinned, key(&ETCD, "v3.5.0").hex());
        assert_eq!(key(&ETCD, "v3.5.0").hex(), key(&changed, "v3.5.0").hex());
    }

    #[test]
    fn reason_is_one_line() {
        let said = "{\n\t\"Path\": \"k8s.io/kubernetes\",\n\t\"Error\": \"k8s.io/kubernetes@v1.99.0: invalid version: unknown revision\\nmore\"\n}";
        assert_eq!(reason(said), "k8s.io/kubernetes@v1.99.0: invalid version: unknown revision");
        assert_eq!(reason("go: finding module\ngo: no such thing\n"), "go: no such thing");
    }
}
