//! Passcodes of an authenticator app (RFC 6238): six digits of an HMAC over the time in steps of half a minute.

use crate::signatures::{same, sha1};

const STEP_SECONDS: i64 = 30;
/// A passcode is good until the end of the step after its own, as Keystone's default has it.
const STEPS_BACK: i64 = 1;

/// `seed` in base32, as apps are given it.
pub(super) fn accepts(seed: &str, passcode: &str, now_seconds: i64) -> bool {
    let Some(key) = base32(seed) else { return false };
    let step = now_seconds.div_euclid(STEP_SECONDS);
    // All of them are compared, so that the time taken does not tell which one was near.
    (0..=STEPS_BACK).fold(false, |found, back| found | same(&code(&key, step - back), passcode))
}

fn code(key: &[u8], step: i64) -> String {
    let digest = sha1(key, &step.to_be_bytes());
    let at = usize::from(digest.last().copied().unwrap_or_default() & 15);
    let word = digest.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(word) & 0x7FFF_FFFF) % 1_000_000)
}

/// Without its padding or with it.
fn base32(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::with_capacity(text.len() * 5 / 8));
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
        bits &= (1 << count) - 1;
    }
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890`, which the RFC's examples are made with.
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn passcodes_are_those_of_the_rfc() {
        for (seconds, passcode) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert!(accepts(SEED, passcode, seconds), "{seconds}");
            assert!(accepts(SEED, passcode, seconds + STEP_SECONDS));
            assert!(!accepts(SEED, passcode, seconds + 2 * STEP_SECONDS));
            assert!(!accepts(SEED, passcode, seconds - STEP_SECONDS));
        }
    }

    #[test]
    fn seeds_are_base32() {
        assert_eq!(base32("MZXW6YTB").unwrap(), b"fooba");
        assert_eq!(base32("MZXW6===").unwrap(), b"foo");
        assert_eq!(base32("MZXW6").unwrap(), b"foo");
        assert!(base32("mzxw6").is_none() && base32("").is_none() && base32("M1").is_none());
        assert!(!accepts("", "", 0));
    }
}
