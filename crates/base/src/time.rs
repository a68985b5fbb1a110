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

/// Every row of a list has some of them, so the digits are written here: a formatter would read its pattern each time.
fn written(micros: i64, with_micros: bool, end: &str) -> String {
    let instant = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = jiff::tz::Offset::UTC.to_datetime(instant);
    let mut text = String::with_capacity(32);
    let mut digits = |number: i64, places: u32, before: &str| {
        text.push_str(before);
        for place in (0..places).rev() {
            let digit = number / 10_i64.pow(place) % 10;
            text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
        }
    };
    digits(at.year().into(), 4, "");
    digits(at.month().into(), 2, "-");
    digits(at.day().into(), 2, "-");
    digits(at.hour().into(), 2, "T");
    digits(at.minute().into(), 2, ":");
    digits(at.second().into(), 2, ":");
    if with_micros {
        digits(i64::from(at.subsec_nanosecond()) / 1_000, 6, ".");
    }
    text.push_str(end);
    text
}

/// `2026-01-31T12:00:00Z`: Nova, Neutron, Glance.
pub fn seconds_z(micros: i64) -> String {
    written(micros, false, "Z")
}

/// `2026-01-31T12:00:00.000000Z`: Keystone.
pub fn micros_z(micros: i64) -> String {
    written(micros, true, "Z")
}

/// `2026-01-31T12:00:00.000000`: Nova's older fields, Cinder.
pub fn micros_naive(micros: i64) -> String {
    written(micros, true, "")
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
        // Before the epoch, too.
        assert_eq!(micros_z(-1), "1969-12-31T23:59:59.999999Z");
        for text in ["0031-02-03T04:05:06Z", "2000-02-29T23:59:59Z", "9999-01-01T00:00:00Z"] {
            assert_eq!(seconds_z(parse(text).unwrap()), text);
        }
        assert_eq!(parse("2026-01-31T12:00:00"), parse("2026-01-31T13:00:00+01:00"));
        assert_eq!(parse("yesterday"), None);
    }
}
