//! Reading and writing go.mod.

use super::product::Product;
use crate::{Error, Result};

/// The version that the text of a go.mod requires of `module`.
pub(super) fn required<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module))
            .then(|| words.next())
            .flatten()
            .filter(|version| version.starts_with('v'))
    })
}

/// The modules which Kubernetes' own go.mod takes from its `staging` directory, in its order. That directory is
/// not part of the published module; each is published on its own.
///
/// # Errors
/// There is none, so this is not Kubernetes' go.mod.
pub(super) fn staging(go_mod: &str) -> Result<Vec<&str>> {
    let found: Vec<&str> = go_mod
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("replace ").split_once(" => ./staging/"))
        .map(|(module, _)| module.trim())
        .collect();
    if found.is_empty() {
        return Err(Error::Invalid {
            what: "Kubernetes' go.mod".into(),
            why: "it names no staging modules, so it cannot be built as a Go module".into(),
        });
    }
    Ok(found)
}

/// The go.mod of a product at another version than the pinned one; `replaced` modules are taken at the version
/// beside them. What else it needs is for `go mod tidy` to find out.
pub(super) fn write(product: &Product, version: &str, replaced: &[(&str, String)]) -> String {
    let mut text = format!("module cumulet.local/{}\n\ngo 1.24.0\n\ntool (\n", product.name);
    for program in product.programs {
        text += &format!("\t{}\n", program.package);
    }
    text += ")\n\nrequire (\n";
    for module in product.modules {
        text += &format!("\t{module} {version}\n");
    }
    text += ")\n";
    if !replaced.is_empty() {
        text += "\nreplace (\n";
        for (module, version) in replaced {
            text += &format!("\t{module} => {module} {version}\n");
        }
        text += ")\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::product::{ETCD, KUBERNETES};
    use super::*;

    #[test]
    fn requirements_are_read_in_both_forms() {
        let text = "module x\n\nrequire a.b/c v1.2.3\n\nrequire (\n\td.e/f v0.1.0 // indirect\n)\n\nreplace d.e/g => d.e/g v9.9.9\n";
        assert_eq!(required(text, "a.b/c"), Some("v1.2.3"));
        assert_eq!(required(text, "d.e/f"), Some("v0.1.0"));
        assert_eq!(required(text, "d.e/g"), None);
    }

    #[test]
    fn staging_modules_are_read_from_kubernetes_go_mod() {
        let text = "module k8s.io/kubernetes\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\
                    \tk8s.io/client-go => ./staging/src/k8s.io/client-go\n\tother => other v1.0.0\n)\n";
        assert_eq!(staging(text).unwrap(), ["k8s.io/api", "k8s.io/client-go"]);
        assert!(staging("module x\n").is_err());
    }

    #[test]
    fn generated_module() {
        let replaced = [("k8s.io/api", "v0.35.4".to_owned()), ("k8s.io/client-go", "v0.35.4".to_owned())];
        let product = Product { programs: &KUBERNETES.programs[4..5], ..KUBERNETES };
        assert_eq!(
            write(&product, "v1.35.4", &replaced),
            "module cumulet.local/kubernetes\n\ngo 1.24.0\n\ntool (\n\tk8s.io/kubernetes/cmd/kubeadm\n)\n\n\
             require (\n\tk8s.io/kubernetes v1.35.4\n)\n\n\
             replace (\n\tk8s.io/api => k8s.io/api v0.35.4\n\tk8s.io/client-go => k8s.io/client-go v0.35.4\n)\n"
        );
        assert!(!write(&ETCD, "v3.6.8", &[]).contains("replace"));
    }
}
