//! When a failed call is made again. A timeout is not a failure of a POST: the server may have acted, so that a
//! POST is repeated only when it surely has not; callers find what a lost answer made by looking for it.

use std::time::Duration;

use crate::Error;

const TRIES: u32 = 5;

/// How long to wait before try number `done + 1`; `None` when the error is final.
pub(crate) fn pause(error: &Error, idempotent: bool, done: u32) -> Option<Duration> {
    let again = if idempotent { error.is_transient() } else { error.surely_not_done() };
    (again && done < TRIES).then(|| Duration::from_millis(250 << done.min(5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16) -> Error {
        Error::Http { call: "x".into(), status, service_says: "y".into(), request_id: None }
    }
    fn connection(sent: bool) -> Error {
        Error::Connection { call: "x".into(), message: "reset".into(), sent }
    }

    #[test]
    fn a_post_is_repeated_only_when_nothing_can_have_happened() {
        assert!(pause(&http(500), true, 1).is_some());
        assert!(pause(&http(500), false, 1).is_none());
        assert!(pause(&http(503), false, 1).is_some());
        assert!(pause(&http(429), false, 1).is_some());
        assert!(pause(&connection(true), false, 1).is_none());
        assert!(pause(&connection(false), false, 1).is_some());
        for status in [400, 401, 403, 404, 409, 413, 501] {
            assert!(pause(&http(status), true, 1).is_none(), "{status}");
        }
    }

    #[test]
    fn gives_up_and_waits_longer_each_time() {
        assert!(pause(&http(500), true, TRIES).is_none());
        assert!(pause(&http(500), true, 1) < pause(&http(500), true, 2));
    }
}
