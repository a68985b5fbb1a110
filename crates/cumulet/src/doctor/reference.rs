//! docs/doctor.md, made of the table of codes.

use std::fmt::Write;

use super::codes::ALL;

const HEAD: &str = "# What the doctor finds

`cumulet doctor` looks at the machine and says what keeps a cloud from running there or from running well. It changes nothing;
what it tries (links, rules, a guest of 20 ms on KVM) it tries in a network namespace that is gone afterwards. `--fix` does the
few things marked below, and says so. `--json` is for programs. Flags of `cumulet up` (`--external-cidr`, `--listen`,
`--data-dir`, `--simulate`) are judged too.

It exits with 0 when there is nothing but notes, with 3 when there are warnings (the cloud runs, something of it does not or
is slow), with 1 when an error keeps the cloud from running. An id never changes its meaning.

| id | | what it means | what to do |
|---|---|---|---|
";

pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for code in ALL {
        let fix = if code.fixable { " `--fix` does it until the next boot." } else { "" };
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} | {}{fix} |",
            code.id,
            code.severity.name(),
            code.meaning,
            code.remedy.replace('|', "\\|")
        );
    }
    page
}
