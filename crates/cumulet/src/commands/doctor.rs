//! `cumulet doctor`.

use clap::Args;
use host::daemon::PidLock;
use host::survey::Facts;

use crate::config::{AllArgs, is_free};
use crate::doctor::judge::{Wish, judge};
use crate::doctor::{Finding, exit_code, fix, reference};
use crate::steps::{print, say};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    all: AllArgs,
    /// Do what can be done safely, and say what was done
    #[arg(long)]
    fix: bool,
    /// For programs
    #[arg(long)]
    json: bool,
    /// The documentation of all findings, as Markdown
    #[arg(long)]
    reference: bool,
}

/// Exit codes: see [`exit_code`].
pub async fn run(args: DoctorArgs) -> anyhow::Result<u8> {
    if args.reference {
        print(reference::page().trim_end());
        return Ok(0);
    }
    let config = args.all.0.resolve()?.config()?;
    let look = async || -> anyhow::Result<Vec<Finding>> {
        let running = PidLock::holder(&config.data.lock())?.is_some();
        let wish = Wish {
            simulate: config.simulate,
            external: config.external,
            listen: config.listen,
            listen_is_free: is_free(config.listen),
            running,
        };
        Ok(judge(&Facts::gather(config.data.path()).await, &wish))
    };
    let mut findings = look().await?;
    if args.fix {
        let mut changed = false;
        for finding in &findings {
            match fix::fix(finding) {
                Some(Ok(done)) => {
                    changed = true;
                    say(&format!("✓ {}: {done}", finding.code.id));
                }
                Some(Err(why)) => say(&format!("✗ {}: {why}", finding.code.id)),
                None => {}
            }
        }
        if changed {
            findings = look().await?;
        }
    }
    if args.json {
        let all: Vec<_> = findings.iter().map(Finding::json).collect();
        print(&serde_json::to_string_pretty(&serde_json::json!({"findings": all}))?);
    } else {
        show(&findings);
    }
    Ok(exit_code(&findings))
}

fn show(findings: &[Finding]) {
    for Finding { code, detail, remedy } in findings {
        let seen = if detail.is_empty() { String::new() } else { format!("\n    seen: {detail}") };
        let fix = if code.fixable { "\n    `cumulet doctor --fix` does it" } else { "" };
        print(&format!(
            "{} {:7} {}{seen}\n    do: {remedy}{fix}",
            code.id,
            code.severity.name(),
            code.meaning
        ));
    }
    let last = match exit_code(findings) {
        0 => "The machine is fit for a cloud: start it with `cumulet up`",
        3 => "A cloud runs on this machine, but see the warnings",
        _ => "No cloud runs on this machine yet: see the errors",
    };
    print(last);
}
