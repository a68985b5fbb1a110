//! What HAProxy says of itself, over its socket.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::backend;
use super::config::SOCKET;
use crate::balancer::{BalancerView, Counters, Health};
use crate::process::file_error;
use crate::{Error, Result};

/// Asks for one thing.
pub fn ask(directory: &Utf8Path, command: &str) -> Result<String> {
    Line::open(directory)?.ask(command)
}

/// A line to the process that has the socket now. It stays that process's when another takes the socket over.
pub struct Line {
    socket: UnixStream,
    directory: Utf8PathBuf,
}

impl Line {
    /// A socket's path may be longer than the kernel takes, so it is named by its directory.
    pub fn open(directory: &Utf8Path) -> Result<Self> {
        let handle =
            std::fs::File::open(directory).map_err(|error| file_error("opening", directory, error))?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd());
        let opened = UnixStream::connect(path).and_then(|socket| {
            let patience = Some(Duration::from_secs(5));
            socket.set_read_timeout(patience)?;
            socket.set_write_timeout(patience)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => Ok(Line { socket, directory: directory.to_owned() }),
            Err(error) => Err(failed(directory, &error)),
        }
    }

    /// The process is to wait for more than one question. Once it has answered, the line is surely its own.
    pub fn keep(&mut self) -> Result<()> {
        let mut prompt = [0; 2];
        let asked = self.socket.write_all(b"prompt\n").and_then(|()| self.socket.read(&mut prompt));
        asked.map(drop).map_err(|error| failed(&self.directory, &error))
    }

    /// The last question.
    pub fn ask(mut self, command: &str) -> Result<String> {
        let mut answer = String::new();
        let asked = self.socket.write_all(format!("{command}\n").as_bytes());
        let asked = asked.and_then(|()| self.socket.read_to_string(&mut answer));
        asked.map(|_| answer).map_err(|error| failed(&self.directory, &error))
    }
}

fn failed(directory: &Utf8Path, error: &std::io::Error) -> Error {
    Error::Monitor(format!("HAProxy's socket in {directory}: {error}"))
}

/// Of `show stat`: lines of values under one of names.
pub fn read(table: &str) -> BalancerView {
    let mut view = BalancerView::default();
    let mut lines = table.lines();
    let names: Vec<&str> = lines
        .find(|line| line.contains("pxname"))
        .unwrap_or_default()
        .trim_start_matches(['#', ' ', '>', '\n'])
        .split(',')
        .collect();
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
                let key = (backend::pool_of(&proxy).to_owned(), server.to_owned());
                let known = view.members.entry(key).or_insert(health);
                *known = worse(*known, health);
            }
        }
    }
    view
}

/// Of what two backends of one pool say of a member. Who has not looked yet says nothing.
fn worse(one: Health, other: Health) -> Health {
    let rank = |health: &Health| match health {
        Health::Unknown => 0,
        Health::Up => 1,
        Health::Draining => 2,
        Health::Down => 3,
    };
    if rank(&one) >= rank(&other) { one } else { other }
}
