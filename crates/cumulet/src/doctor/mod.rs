//! Is this machine fit for a cloud, and if not, what is to be done?
//!
//! ```text
//!   host::survey::Facts ─► judge.rs (pure) ─► findings, each with an id of codes.rs ─► commands/doctor.rs
//!                                                └─► fix.rs, on request
//! ```

pub mod codes;
pub mod fix;
pub mod judge;
pub mod reference;
#[cfg(test)]
mod tests;

use codes::{Code, Severity};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: &'static Code,
    /// What was seen here.
    pub detail: String,
    pub remedy: String,
}

impl Finding {
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.code.id,
            "severity": self.code.severity.name(),
            "meaning": self.code.meaning,
            "detail": self.detail,
            "remedy": self.remedy,
            "fixable": self.code.fixable,
        })
    }
}

/// Of the command: 0 nothing but notes, 3 warnings, 1 something keeps the cloud from running.
pub fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.code.severity).min() {
        Some(Severity::Error) => 1,
        Some(Severity::Warning) => 3,
        Some(Severity::Note) | None => 0,
    }
}
