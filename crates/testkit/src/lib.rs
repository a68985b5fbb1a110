//! A whole cloud in a test, in one line: `let cloud = Cloud::start().await;`
//!
//! The APIs are the real ones over the fake host, on a free port of the loopback, with a temporary SQLite. The client
//! here knows JSON and nothing of the services' own types.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod poll;
mod routes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use camino::Utf8PathBuf;
use cumulet::assemble::{Cloud as Assembled, assemble};
use cumulet::config::{Config, DataDir};
use cumulet::drivers;
use cumulet::serve;
use cumulet::simulate::Simulation;
use tokio::sync::watch;

pub use client::{Answer, Client, text};
pub use poll::poll;
pub use routes::Route;

pub const PASSWORD: &str = "secret-of-the-test";

/// A running cloud; it ends with this value.
pub struct Cloud {
    pub assembled: Arc<Assembled>,
    pub url: String,
    end: watch::Sender<bool>,
    dir: Option<tempfile::TempDir>,
}

impl Cloud {
    pub async fn start() -> Cloud {
        Self::start_in(tempfile::tempdir().expect("a temporary directory"), false).await
    }

    /// With what `cumulet up --simulate` has besides: `/simulate/..`.
    pub async fn start_simulation() -> Cloud {
        Self::start_in(tempfile::tempdir().expect("a temporary directory"), true).await
    }

    async fn start_in(dir: tempfile::TempDir, simulation: bool) -> Cloud {
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).expect("a path of UTF-8");
        let listeners =
            serve::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).await.expect("a free port");
        let address = listeners[0].local_addr().expect("an address");
        let config = Config::simulated(DataDir(path), address).expect("settings");
        let drivers = drivers::make(&config).await.expect("the fake host");
        let assembled = Arc::new(assemble(&config, drivers, PASSWORD).await.expect("the services"));
        assembled.start(&config).await.expect("the first rows");
        let (end, ended) = watch::channel(false);
        let router = if simulation {
            let around = Simulation::around(assembled.clone(), config.clone(), PASSWORD.into());
            around.await.expect("a kept state").router()
        } else {
            assembled.router.clone()
        };
        tokio::spawn(serve::serve(router, listeners, None, ended));
        Cloud { assembled, url: config.public_url(), end, dir: Some(dir) }
    }

    /// Where its rows and files are.
    pub fn data_dir(&self) -> &std::path::Path {
        self.dir.as_ref().expect("a directory as long as the cloud").path()
    }

    /// Everything that can be called, in the order of services and their rooms.
    pub fn routes(&self) -> Vec<Route> {
        routes::of(&self.assembled)
    }

    /// As admin on the project admin.
    pub async fn admin(&self) -> Client {
        Client::login(&self.url, "admin", PASSWORD, "admin").await
    }

    /// A fresh project with a user of role `member`.
    pub async fn member(&self, name: &str) -> Client {
        let admin = self.admin().await;
        admin.make_member(name).await;
        Client::login(&self.url, name, PASSWORD, name).await
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.end.send_replace(true);
        drop(self.dir.take());
    }
}
