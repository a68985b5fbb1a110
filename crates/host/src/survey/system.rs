//! Files that say how the machine is.

use camino::Utf8Path;

use super::Distribution;

pub(super) fn says(path: &str, value: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
}

pub(super) fn distribution() -> Distribution {
    distribution_of(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
}

fn distribution_of(os_release: &str) -> Distribution {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let names = format!("{} {}", value("ID"), value("ID_LIKE"));
    let known = names.split_whitespace().find_map(|name| match name {
        "debian" => Some(Distribution::Debian),
        "ubuntu" => Some(Distribution::Ubuntu),
        "fedora" | "rhel" | "centos" => Some(Distribution::Fedora),
        _ => None,
    });
    known.unwrap_or(Distribution::Other)
}

/// One of these flags is among the processor's.
pub(super) fn processor_says(flags: &[&str]) -> bool {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    line.split_whitespace().any(|word| flags.contains(&word))
}

pub(super) fn nested() -> Option<bool> {
    ["kvm_intel", "kvm_amd"].iter().find_map(|module| {
        let value = std::fs::read_to_string(format!("/sys/module/{module}/parameters/nested")).ok()?;
        Some(matches!(value.trim(), "Y" | "1"))
    })
}

pub(super) fn runs(name: &str) -> bool {
    super::processes().into_iter().any(|pid| says(&format!("/proc/{pid}/comm"), name))
}

/// All of it, and what programs could still take; MiB.
pub(super) fn memory() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |key: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_start_matches(':').split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    (kib("MemTotal") / 1024, kib("MemAvailable") / 1024)
}

pub(super) fn has_cgroups() -> bool {
    let there = |file: &str| Utf8Path::new("/sys/fs/cgroup").join(file).exists();
    there("cgroup.controllers") || (there("cpu/cgroup.procs") && there("memory/cgroup.procs"))
}

/// Where `path` is or will be.
pub(super) fn free_disk_gib(path: &Utf8Path) -> u64 {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Utf8Path::new("/"));
    rustix::fs::statvfs(there.as_std_path()).map_or(0, |disk| disk.f_bavail * disk.f_frsize / (1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_distributions_are_what_they_are_like() {
        assert_eq!(
            distribution_of("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
            Distribution::Ubuntu
        );
        assert_eq!(distribution_of("ID=debian\nVERSION_ID=\"12\"\n"), Distribution::Debian);
        assert_eq!(distribution_of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Distribution::Fedora);
        assert_eq!(distribution_of("ID=arch\n"), Distribution::Other);
    }
}
