//! What HAProxy says of itself, over its socket.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::Utf8Path;

use super::config::SOCKET;
use crate::balancer::{BalancerView, Counters, Health};
use crate::process::file_error;
use crate::{Error, Result};

/// Asks for one thing. A socket's path may be longer than the kernel takes, so it is named by its directory.
pub fn ask(directory: &Utf8Path, command: &str) -> Result<String> {
    let handle = std::fs::File::open(directory).map_err(|error| file_error("opening", directory, error))?;
    let failed = |error: std::io::Error| Error::Monitor(format!("HAProxy's socket in {directory}: {error}"));
    let path = format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd());
    let mut socket = UnixStream::connect(path).map_err(failed)?;
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).map_err(failed)?;
    socket.set_write_timeout(patience).map_err(failed)?;
    socket.write_all(format!("{command}\n").as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).map_err(failed)?;
    Ok(answer)
}

/// Of `show stat`: lines of values under one of names.
pub fn read(table: &str) -> BalancerView {
    let mut view = BalancerView::default();
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    for line in lines {
        let row: HashMap<&str, &str> = names.iter().copied().zip(line.split(',')).collect();
        let text = |name: &str| row.get(name).copied().unwrap_or_default();
        let number = |name: &str| text(name).parse::<u64>().unwrap_or_default();
        let proxy = text("pxname").to_owned();
        match text("svname") {
            "FRONTEND" => {
                let counters = Counters {
                    bytes_in: number("bin"),
                    bytes_out: number("bout"),
                    active_connections: number("scur"),
                    total_connections: number("stot"),
                    request_errors: number("ereq"),
                };
                view.counters.insert(proxy, counters);
            }
            "BACKEND" | "" => {}
            server => {
                let health = match text("status").split(' ').next().unwrap_or_default() {
                    "UP" if number("weight") == 0 => Health::Draining,
                    "UP" => Health::Up,
                    "DOWN" => Health::Down,
                    "DRAIN" => Health::Draining,
                    // Nobody checks it, or it is not to be used.
                    _ => continue,
                };
                // Until the first check has ended, HAProxy hopes.
                let unchecked = matches!(text("check_status"), "INI" | "* INI");
                let health = if unchecked { Health::Unknown } else { health };
                view.members.insert((proxy, server.to_owned()), health);
            }
        }
    }
    view
}
