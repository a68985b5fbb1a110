//! Data from the web.
//!
//! The cloud fetches what a tenant names, from where the cloud stands: inside. So only http and https, only their ports,
//! and no address of this machine or its link (where metadata services live) unless the configuration allows its
//! network. Names are looked up here and their addresses filtered, also behind redirections.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Error, Result};
use camino::Utf8Path;
use futures::StreamExt;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use crate::data::receive::receive;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Networks that may be fetched from although they are this machine's own, on any port.
    pub allowed: Vec<IpNet>,
    pub ports: Vec<u16>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { allowed: Vec::new(), ports: vec![80, 443] }
    }
}

const REDIRECTIONS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);

impl Rules {
    /// 400 for an address that will not be fetched from.
    pub fn check(&self, uri: &str) -> Result<()> {
        let fits = Url::parse(uri).is_ok_and(|url| self.admits(&url));
        if fits {
            Ok(())
        } else {
            Err(Error::bad_request(format!("URI for web-download does not pass filtering: {uri}")))
        }
    }

    fn admits(&self, url: &Url) -> bool {
        let literal = url.host_str().and_then(|h| h.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let own = literal.is_some_and(|ip| self.is_allowed(ip));
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|h| !h.is_empty())
            && literal.is_none_or(|ip| own || is_elsewhere(ip))
            && (own || url.port_or_known_default().is_some_and(|p| self.ports.contains(&p)))
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&ip))
    }
}

/// Not this machine, nor its link, nor nowhere.
fn is_elsewhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_broadcast())
                && ip.octets()[0] != 0
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped().or_else(|| ip.to_ipv4()) {
            Some(ip) => is_elsewhere(ip.into()),
            None => {
                !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local())
            }
        },
    }
}

/// Looks names up and hides the addresses that must not be asked.
struct Filtered(Rules);

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fit: Vec<SocketAddr> =
                found.filter(|a| is_elsewhere(a.ip()) || rules.is_allowed(a.ip())).collect();
            if fit.is_empty() {
                return Err(format!("{} has no address that may be fetched from", name.as_str()).into());
            }
            Ok(Box::new(fit.into_iter()) as Addrs)
        })
    }
}

/// Fetches `uri` into a file; answers its size.
pub async fn download(rules: &Rules, uri: &str, path: &Utf8Path, limit: i64) -> Result<i64> {
    rules.check(uri)?;
    let told = |e: reqwest::Error| Error::bad_request(format!("{uri} could not be fetched: {}", chain(&e)));
    let hops = rules.clone();
    let policy = redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTIONS {
            attempt.error("too many redirections")
        } else if hops.admits(attempt.url()) {
            attempt.follow()
        } else {
            attempt.error("redirected to an address that may not be fetched from")
        }
    });
    let client = Client::builder()
        .redirect(policy)
        .dns_resolver(std::sync::Arc::new(Filtered(rules.clone())))
        // A proxy would look names up itself, unfiltered.
        .no_proxy()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(Error::internal)?;
    let response =
        client.get(uri).send().await.and_then(reqwest::Response::error_for_status).map_err(told)?;
    if response.content_length().is_some_and(|n| i64::try_from(n).is_ok_and(|n| n > limit)) {
        return Err(Error::too_large(format!(
            "The incoming image is too large: it exceeds the limit of {limit} bytes."
        )));
    }
    let received = receive(response.bytes_stream().map(|c| c.map_err(told)), path, limit).await?;
    Ok(received.size)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(e) = next {
        text = format!("{text}: {e}");
        next = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn addresses_of_this_machine_are_not_fetched_from() {
        let rules = Rules::default();
        for good in [
            "http://example.org/a.img",
            "https://example.org:443/",
            "http://8.8.8.8/",
            "http://[2001:db8::1]/",
        ] {
            rules.check(good).unwrap();
        }
        for bad in [
            "",
            "example.org",
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://example.org:22/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0.0.0.0/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fe80::1]/",
        ] {
            assert!(rules.check(bad).is_err(), "{bad}");
        }
        let rules = Rules { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Rules::default() };
        rules.check("http://127.0.0.1:8080/a").unwrap();
        rules.check("http://[::1]/").unwrap_err();
    }
}
