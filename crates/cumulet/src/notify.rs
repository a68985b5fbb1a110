//! What systemd wants to be told (sd_notify): datagrams to the socket that it names in NOTIFY_SOCKET.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub struct Notifier {
    to: Option<Arc<(UnixDatagram, SocketAddr)>>,
    /// A process that says nothing for so long is taken for dead.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Silent unless systemd listens.
    pub fn from_environment() -> Notifier {
        let variable = |name: &str| std::env::var(name).ok();
        // Meant for another process, if it names one.
        let meant = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| meant).and_then(|micros| micros.parse().ok());
        let to = variable("NOTIFY_SOCKET").and_then(|name| connect(&name).ok());
        Notifier { to: to.map(Arc::new), watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Lines of `NAME=value`. Nobody's start fails because nobody listens.
    pub fn say(&self, lines: &str) {
        let Some(to) = &self.to else { return };
        if let Err(error) = to.0.send_to_addr(lines.as_bytes(), &to.1) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }

    /// Says that all is well, twice as often as it has to be, as long as it is.
    pub async fn keep_alive<F: Future<Output = bool>>(self, healthy: impl Fn() -> F) {
        let Some(period) = self.watchdog else { return };
        loop {
            match tokio::time::timeout(period / 2, healthy()).await {
                Ok(true) => self.say("WATCHDOG=1"),
                _ => tracing::error!("the cloud is not well: the service manager is not told otherwise"),
            }
            tokio::time::sleep(period / 2).await;
        }
    }
}

fn connect(name: &str) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    Ok((UnixDatagram::unbound()?, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(name: &str) -> (UnixDatagram, Notifier) {
        let (_, address) = connect(name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let to = Some(Arc::new(connect(name).unwrap()));
        (socket, Notifier { to, watchdog: Some(Duration::from_millis(40)) })
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 200];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    #[test]
    fn a_socket_in_the_file_system_and_one_without_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notify").to_str().unwrap().to_owned();
        for name in [file, format!("@cumulet-test-{}", std::process::id())] {
            let (socket, notifier) = listening(&name);
            notifier.say("READY=1\nSTATUS=up");
            assert_eq!(heard(&socket), "READY=1\nSTATUS=up");
        }
    }

    #[test]
    fn nobody_listening_is_fine() {
        Notifier::default().say("READY=1");
        let to = connect("@cumulet-nobody-is-there").unwrap();
        Notifier { to: Some(Arc::new(to)), watchdog: None }.say("READY=1");
    }

    #[tokio::test]
    async fn the_watchdog_is_fed_only_while_all_is_well() {
        let (socket, notifier) = listening(&format!("@cumulet-watchdog-{}", std::process::id()));
        let well = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let asked = well.clone();
        let feeding = tokio::spawn(
            notifier.keep_alive(move || std::future::ready(asked.load(std::sync::atomic::Ordering::Relaxed))),
        );
        let socket = tokio::task::spawn_blocking(move || {
            assert_eq!(heard(&socket), "WATCHDOG=1");
            assert_eq!(heard(&socket), "WATCHDOG=1");
            socket
        })
        .await
        .unwrap();
        well.store(false, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(60)).await;
        socket.set_nonblocking(true).unwrap();
        while socket.recv(&mut [0; 200]).is_ok() {}
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(socket.recv(&mut [0; 200]).is_err(), "it went on");
        feeding.abort();
    }
}
