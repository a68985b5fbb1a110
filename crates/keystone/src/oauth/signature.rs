//! The Authorization header of a signed request, and whether its signature is right (RFC 5849).

use base::Error;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use web::Params;

use crate::errors::expecting;
use crate::signatures::{quote, same, sha1, sha256};

pub(crate) struct Signed {
    /// `oauth_*`, decoded; the signature apart.
    pairs: Vec<(String, String)>,
    signature: String,
    /// The request's own URL and query.
    url: String,
    query: Vec<(String, String)>,
}

impl Signed {
    /// `url`: as the client wrote it, without the query. None: the request is not signed.
    pub fn of(headers: &HeaderMap, url: String, params: &Params) -> Option<Signed> {
        let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let list = text.strip_prefix("OAuth ")?;
        let mut signature = String::new();
        let mut pairs = Vec::new();
        for item in list.split(',') {
            let (key, value) = item.trim().split_once('=')?;
            let value = unquote(value.trim_matches('"'))?;
            match key {
                "oauth_signature" => signature = value,
                // Not a part of what is signed.
                "realm" => {}
                _ => pairs.push((unquote(key)?, value)),
            }
        }
        Some(Signed { pairs, signature, url, query: params.pairs().to_vec() })
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    pub fn require(&self, key: &str) -> Result<&str, Error> {
        self.get(key).ok_or_else(|| expecting(key, "request"))
    }

    /// POST, as all requests of this protocol here are.
    pub fn verifies(&self, consumer_secret: &str, token_secret: &str) -> bool {
        let mut all: Vec<(String, String)> =
            self.pairs.iter().chain(&self.query).map(|(k, v)| (quote(k), quote(v))).collect();
        all.sort();
        let params: Vec<String> = all.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        let text = format!("POST&{}&{}", quote(&self.url), quote(&params.join("&")));
        let key = format!("{}&{}", quote(consumer_secret), quote(token_secret));
        let digest = match self.get("oauth_signature_method") {
            Some("HMAC-SHA1") => sha1(key.as_bytes(), text.as_bytes()),
            Some("HMAC-SHA256") => sha256(key.as_bytes(), text.as_bytes()),
            _ => return false,
        };
        same(&BASE64_STANDARD.encode(digest), &self.signature)
    }
}

fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (hex, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 5849's section 1.2, signed by another implementation.
    #[test]
    fn reads_what_others_signed() {
        let mut headers = HeaderMap::new();
        let text = "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", \
                    oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131200\", oauth_nonce=\"wIjqoxSZ\", \
                    oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\", \
                    oauth_signature=\"%2FUvthHqLWsq3QBhDNNbCXRUcFvI%3D\"";
        headers.insert(header::AUTHORIZATION, text.parse().unwrap());
        let params = Params::from_pairs(&[]);
        let url = "https://photos.example.net/initiate";
        let signed = Signed::of(&headers, url.into(), &params).unwrap();
        assert!(signed.verifies("kd94hf93k423kf44", ""));
        assert!(!signed.verifies("kd94hf93k423kf44", "x"));
        assert_eq!(signed.get("oauth_callback"), Some("http://printer.example.com/ready"));
        assert!(signed.require("oauth_token").is_err());
        let elsewhere = Signed::of(&headers, "https://photos.example.net/other".into(), &params).unwrap();
        assert!(!elsewhere.verifies("kd94hf93k423kf44", ""));
        headers.insert(header::AUTHORIZATION, "Basic eA==".parse().unwrap());
        assert!(Signed::of(&headers, url.into(), &params).is_none());
    }
}
