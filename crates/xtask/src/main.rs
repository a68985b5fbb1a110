//! Chores of the workspace: `cargo run -p xtask -- layers`.

mod layers;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("layers") => layers::check(),
        other => bail!("no such chore: {}; there is `layers`", other.unwrap_or("(none)")),
    }
}
