//! Instants. Rows hold microseconds since the epoch (BIGINT); APIs print one of these shapes, always UTC.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Microseconds since the epoch, by the machine's clock: it may jump either way. What must not is measured by
/// `std::time::Instant`.
pub fn now() -> i64 {
    Timestamp::now().as_microsecond() + AHEAD.load(Ordering::Relaxed)
}

/// For tests of clocks that jump: from now on this process believes to be so many microseconds ahead of the machine.
pub fn set_ahead(micros: i64) {
    AHEAD.store(micros, Ordering::Relaxed);
}

fn at(micros: i64) -> jiff::Zoned {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC)
}

/// `2026-01-31T12:00:00Z`: Nova, Neutron, Glance.
pub fn seconds_z(micros: i64) -> String {
    at(micros).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-31T12:00:00.000000Z`: Keystone.
pub fn micros_z(micros: i64) -> String {
    at(micros).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// `2026-01-31T12:00:00.000000`: Nova's older fields, Cinder.
pub fn micros_naive(micros: i64) -> String {
    at(micros).strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// An ISO 8601 instant as clients send it (`changes-since`, `expires_at`); without an offset it is UTC.
pub fn parse(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let naive: jiff::civil::DateTime = text.parse().ok()?;
    Some(naive.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses() {
        let t = parse("2026-01-31T12:00:00.250Z").unwrap();
        assert_eq!(seconds_z(t), "2026-01-31T12:00:00Z");
        assert_eq!(micros_z(t), "2026-01-31T12:00:00.250000Z");
        assert_eq!(micros_naive(t), "2026-01-31T12:00:00.250000");
        assert_eq!(parse("2026-01-31T12:00:00"), parse("2026-01-31T13:00:00+01:00"));
        assert_eq!(parse("yesterday"), None);
    }
}
