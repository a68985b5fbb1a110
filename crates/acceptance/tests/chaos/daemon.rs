//! The daemon as a process of its own, which is what can be killed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use clap::Parser;
use cumulet::config::{DataDir, UpArgs};

#[derive(Debug, Parser)]
struct Up {
    #[command(flatten)]
    args: UpArgs,
}

/// How far the daemon's clock is ahead of the machine's, in seconds: read again and again, and `clock.seen` tells what
/// was read.
const CLOCK: &str = "clock";
const CLOCK_SEEN: &str = "clock.seen";

fn keep_the_clock(dir: &Path) {
    let (wanted, seen) = (dir.join(CLOCK), dir.join(CLOCK_SEEN));
    let mut known = String::new();
    let mut look = move || {
        let text = std::fs::read_to_string(&wanted).unwrap_or_default();
        let ahead = text.parse::<i64>().ok().filter(|_| text != known);
        if let Some(ahead) = ahead {
            base::time::set_ahead(ahead * 1_000_000);
            std::fs::write(&seen, &text).expect("a place to tell");
            known = text;
        }
    };
    look();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(3));
            look();
        }
    });
}

/// In the child: `cumulet up --foreground --simulate`.
pub fn run(runtime: &tokio::runtime::Runtime, dir: &str, listen: &str) -> ExitCode {
    keep_the_clock(Path::new(dir).parent().expect("a directory of the test's"));
    let bare = ["up", "--foreground", "--simulate", "--demo=false", "--data-dir", dir, "--listen", listen];
    let up = Up::parse_from(bare);
    match runtime.block_on(cumulet::commands::up::run(up.args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

pub struct Daemon {
    pub url: String,
    pub data: DataDir,
    listen: SocketAddr,
    child: Child,
}

impl Daemon {
    pub async fn start(dir: &Path) -> Daemon {
        let data = DataDir(Utf8PathBuf::from_path_buf(dir.join("data")).expect("UTF-8"));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let listen = free.local_addr().expect("an address");
        drop(free);
        let child = spawn(&data, listen);
        let mut daemon = Daemon { url: format!("http://{listen}"), data, listen, child };
        daemon.answers().await;
        daemon
    }

    pub fn kill(&mut self) {
        // SIGKILL; one that ended by itself is noticed by `restart`.
        let _ = self.child.kill();
        self.child.wait().expect("a child to wait for");
    }

    /// The daemon's clock jumps now, or is found changed by its next life.
    pub async fn set_clock(&mut self, ahead: i64) {
        let dir = self.data.path().parent().expect("a directory of the test's").as_std_path();
        let (wanted, part) = (dir.join(CLOCK), dir.join("clock.part"));
        std::fs::write(&part, ahead.to_string())
            .and_then(|()| std::fs::rename(part, wanted))
            .expect("a clock");
        let seen =
            || std::fs::read_to_string(dir.join(CLOCK_SEEN)).is_ok_and(|text| text == ahead.to_string());
        while self.child.try_wait().expect("a child").is_none() && !seen() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Started and answering.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.data, self.listen);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let http = reqwest::Client::new();
        loop {
            if http.get(&self.url).send().await.is_ok() {
                return;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the daemon did not start ({ended:?}): see {}", self.data.log());
            assert!(Instant::now() < deadline, "the daemon does not answer: see {}", self.data.log());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(data: &DataDir, listen: SocketAddr) -> Child {
    std::fs::create_dir_all(data.path()).expect("a data directory");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(data.log()).expect("a log");
    Command::new(std::env::current_exe().expect("this program"))
        .args(["daemon", data.path().as_str(), &listen.to_string()])
        .env_remove("CUMULET_DATA_DIR")
        // Whoever runs the tests keeps clouds.yaml as it is.
        .env("HOME", data.path())
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("a daemon")
}
