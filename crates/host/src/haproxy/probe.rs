//! One question to one member, in the namespace of the calling thread: is it well?

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::balancer::{MonitorKind, MonitorPlan};

const SCTP: i32 = 132;

/// Takes as long as the monitor waits, at most.
pub fn is_well(monitor: &MonitorPlan, address: IpAddr, port: u16) -> bool {
    let patience = Duration::from_secs(u64::from(monitor.timeout.max(1)));
    let to = SocketAddr::new(address, port);
    let asked = match monitor.kind {
        MonitorKind::Http => http(monitor, to, patience),
        MonitorKind::UdpConnect => udp(to, patience),
        MonitorKind::Ping => ping(address, patience),
        MonitorKind::Sctp => sctp(to, patience),
        MonitorKind::Tcp | MonitorKind::Https | MonitorKind::TlsHello => {
            TcpStream::connect_timeout(&to, patience).map(|_| true)
        }
    };
    asked.unwrap_or(false)
}

fn http(monitor: &MonitorPlan, to: SocketAddr, patience: Duration) -> std::io::Result<bool> {
    let deadline = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    let host = monitor.domain.clone().unwrap_or_else(|| to.ip().to_string());
    let MonitorPlan { method, path, http_version, .. } = monitor;
    stream.set_write_timeout(Some(patience))?;
    // In one segment: a member that answers before it has read everything would have its answer lost by a reset.
    let request = format!("{method} {path} HTTP/{http_version}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut said, mut buffer) = (Vec::new(), [0; 256]);
    // `HTTP/1.1 200`
    while said.len() < 12 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => return Ok(false),
            length => said.extend_from_slice(&buffer[..length]),
        }
    }
    let text = String::from_utf8_lossy(&said);
    let status = text.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default();
    Ok(is_expected(&monitor.expected, status.get(..3).unwrap_or_default()))
}

/// `200`, `200,202`, `200-204`.
fn is_expected(expected: &str, status: &str) -> bool {
    expected.split(',').any(|one| match one.trim().split_once('-') {
        Some((from, to)) => !status.is_empty() && from <= status && status <= to,
        None => one.trim() == status,
    })
}

/// Nobody needs to answer; but the machine must not say that nobody is there.
fn udp(to: SocketAddr, patience: Duration) -> std::io::Result<bool> {
    let here: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((here, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(patience))?;
    socket.send(&[])?;
    match socket.recv(&mut [0; 64]) {
        Ok(_) => Ok(true),
        Err(error) => Ok(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
    }
}

fn sctp(to: SocketAddr, patience: Duration) -> std::io::Result<bool> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::from(SCTP)))?;
    socket.connect_timeout(&to.into(), patience)?;
    Ok(true)
}

fn ping(address: IpAddr, patience: Duration) -> std::io::Result<bool> {
    let (domain, protocol, request, reply) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8, 0),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128, 129),
    };
    // The kernel fills in who asks and the checksum, and gives us our answers alone.
    let mut socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    socket.send(&[request, 0, 0, 0, 0, 0, 0, 1])?;
    let mut answer = [0; 64];
    let length = socket.read(&mut answer)?;
    Ok(length > 0 && answer[0] == reply)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn monitor(kind: MonitorKind) -> MonitorPlan {
        MonitorPlan {
            kind,
            delay: 1,
            timeout: 1,
            rise: 1,
            fall: 1,
            method: "GET".into(),
            path: "/".into(),
            expected: "200-202".into(),
            http_version: "1.0".into(),
            domain: None,
        }
    }

    #[test]
    fn codes_are_expected_as_the_api_writes_them() {
        for (expected, status, fits) in [
            ("200", "200", true),
            ("200, 204", "204", true),
            ("200-204", "203", true),
            ("200-204", "500", false),
            ("200", "", false),
        ] {
            assert_eq!(is_expected(expected, status), fits, "{expected} {status}");
        }
    }

    #[test]
    fn who_answers_is_well() {
        let here: IpAddr = [127, 0, 0, 1].into();
        let listener = TcpListener::bind((here, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 256]);
                let status = if at == 0 { "202 Fine" } else { "503 Not fine" };
                let _ = write!(stream, "HTTP/1.0 {status}\r\n\r\n");
            }
        });
        assert!(is_well(&monitor(MonitorKind::Http), here, port));
        assert!(!is_well(&monitor(MonitorKind::Http), here, port));
        assert!(is_well(&monitor(MonitorKind::Tcp), here, port));
        let datagrams = UdpSocket::bind((here, 0)).unwrap();
        let port = datagrams.local_addr().unwrap().port();
        assert!(is_well(&monitor(MonitorKind::UdpConnect), here, port));
        drop(datagrams);
        assert!(!is_well(&monitor(MonitorKind::UdpConnect), here, port));
        assert!(!is_well(&monitor(MonitorKind::Tcp), here, port));
    }
}
