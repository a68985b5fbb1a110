//! A microversion is a value: handlers are written at the newest shape, views gate fields by comparing.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Microversion {
    pub major: u16,
    pub minor: u16,
}

impl Microversion {
    pub const fn new(major: u16, minor: u16) -> Self {
        Microversion { major, minor }
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// `major.minor`, decimal, no sign, no leading zeros but `0` itself.
impl FromStr for Microversion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |part: &str| {
            let canonical =
                part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
            if canonical { part.parse::<u16>().map_err(|_| ()) } else { Err(()) }
        };
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Microversion::new(number(major)?, number(minor)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_orders() {
        let v: Microversion = "2.96".parse().unwrap();
        assert!(v > Microversion::new(2, 9) && v.to_string() == "2.96");
        for bad in ["", "2", "2.", ".1", "2.01", "+2.1", "2.1.1", "latest", "2.-1"] {
            assert!(bad.parse::<Microversion>().is_err(), "{bad}");
        }
    }
}
