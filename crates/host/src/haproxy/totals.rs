//! Counters of HAProxy processes that are gone, by listener. Each change of a load balancer is a new process, which
//! counts from zero.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use camino::Utf8Path;

use super::stats::{self, Line};
use crate::Result;
use crate::balancer::{BalancerView, Counters};
use crate::process::file_error;

const FILE: &str = "counters";

/// bytes in, bytes out, connections, errors of requests
type Totals = BTreeMap<String, [u64; 4]>;

fn read(directory: &Utf8Path) -> Totals {
    // What cannot be read is counted anew.
    std::fs::read(directory.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// The line over which a process that gives its sockets away says what it has counted. None: it says nothing more.
pub fn line(directory: &Utf8Path) -> Option<Line> {
    let mut line = Line::open(directory).ok()?;
    line.keep().ok()?;
    Some(line)
}

/// What a process has counted that has given its sockets away is kept.
pub fn keep(directory: &Utf8Path, line: Line) -> Result<()> {
    let Ok(answer) = line.ask("show stat\nquit") else { return Ok(()) };
    let mut totals = read(directory);
    for (listener, more) in stats::read(&answer).counters {
        let [bytes_in, bytes_out, connections, errors] = totals.entry(listener).or_default();
        *bytes_in += more.bytes_in;
        *bytes_out += more.bytes_out;
        *connections += more.total_connections;
        *errors += more.request_errors;
    }
    let path = directory.join(FILE);
    let text = serde_json::to_vec(&totals).unwrap_or_default();
    std::fs::write(&path, text).map_err(|error| file_error("writing", &path, error))
}

/// Adds what was kept.
pub fn add(directory: &Utf8Path, view: &mut BalancerView) {
    let totals = read(directory);
    for (listener, counters) in &mut view.counters {
        let Some([bytes_in, bytes_out, connections, errors]) = totals.get(listener).copied() else {
            continue;
        };
        *counters = Counters {
            bytes_in: counters.bytes_in + bytes_in,
            bytes_out: counters.bytes_out + bytes_out,
            active_connections: counters.active_connections,
            total_connections: counters.total_connections + connections,
            request_errors: counters.request_errors + errors,
        };
    }
}

/// A load balancer that has no listener any more counts from zero.
pub fn forget(directory: &Utf8Path) -> Result<()> {
    let path = directory.join(FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error("removing", &path, error)),
        _ => Ok(()),
    }
}
