//! The signatures of EC2's and S3's requests, made with an access key's secret.
//!
//! A service that was sent a signed request asks Keystone whether the signature is right; it passes on what was signed, so
//! that the same signature can be made here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256};

const V4: &str = "AWS4-HMAC-SHA256";

pub fn sha1(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key of any length will do for HMAC, so that this cannot fail.
    Hmac::<Sha1>::new_from_slice(key).map_or_else(|_| Vec::new(), |m| finish(m, data))
}

pub fn sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).map_or_else(|_| Vec::new(), |m| finish(m, data))
}

fn finish<M: Mac>(mut mac: M, data: &[u8]) -> Vec<u8> {
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// In a time that does not tell where they differ.
pub fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// A request that EC2's API was sent.
pub struct Ec2Request<'a> {
    params: BTreeMap<&'a str, String>,
    headers: BTreeMap<String, &'a str>,
    verb: &'a str,
    host: &'a str,
    path: &'a str,
    body_hash: &'a str,
}

impl<'a> Ec2Request<'a> {
    pub fn new(credentials: &'a Map<String, Value>) -> Self {
        let text = |key: &str| credentials.get(key).and_then(Value::as_str).unwrap_or_default();
        let map = |key: &str| credentials.get(key).and_then(Value::as_object);
        let params = map("params").into_iter().flatten();
        let headers = map("headers").into_iter().flatten();
        Ec2Request {
            params: params
                .map(|(k, v)| (k.as_str(), v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
                .collect(),
            headers: headers
                .filter_map(|(k, v)| Some((k.trim().to_ascii_lowercase(), v.as_str()?.trim())))
                .collect(),
            verb: text("verb"),
            host: text("host"),
            path: text("path"),
            body_hash: text("body_hash"),
        }
    }

    /// Some clients leave the port out of what they sign.
    pub fn verifies(&self, secret: &str, signature: &str) -> bool {
        let bare = self.host.rsplit_once(':').map(|(host, _)| host);
        std::iter::once(self.host)
            .chain(bare)
            .filter_map(|host| self.sign(secret, host))
            .any(|made| same(&made, signature))
    }

    fn param(&self, key: &str) -> Option<&str> {
        self.params.get(key).map(String::as_str)
    }

    /// None: signed in no way that is known.
    fn sign(&self, secret: &str, host: &str) -> Option<String> {
        match self.param("SignatureVersion") {
            Some("0") => {
                let signed = format!("{}{}", self.param("Action")?, self.param("Timestamp")?);
                Some(BASE64_STANDARD.encode(sha1(secret.as_bytes(), signed.as_bytes())))
            }
            Some("1") => {
                let mut pairs: Vec<_> = self.params.iter().collect();
                pairs.sort_by_key(|(key, _)| key.to_lowercase());
                let signed: String = pairs.into_iter().map(|(key, value)| format!("{key}{value}")).collect();
                Some(BASE64_STANDARD.encode(sha1(secret.as_bytes(), signed.as_bytes())))
            }
            Some("2") => {
                let mut params = self.params.clone();
                params.insert("SignatureMethod", "HmacSHA256".into());
                let signed = format!("{}\n{host}\n{}\n{}", self.verb, self.path, query(&params));
                Some(BASE64_STANDARD.encode(sha256(secret.as_bytes(), signed.as_bytes())))
            }
            Some(_) => None,
            None => self.sign_v4(secret),
        }
    }

    /// `SignedHeaders`, `Credential`: from the Authorization header or from the query.
    fn authorization(&self, key: &str) -> Option<&str> {
        match self.headers.get("authorization") {
            Some(header) => {
                let (_, value) = header.split_once(&format!("{key}="))?;
                Some(value.split(',').next().unwrap_or(value).trim())
            }
            None => self.param(&format!("X-Amz-{key}")),
        }
    }

    fn sign_v4(&self, secret: &str) -> Option<String> {
        let by_header = self.headers.get("authorization").is_some_and(|h| h.starts_with(V4));
        if !by_header && self.param("X-Amz-Algorithm") != Some(V4) {
            return None;
        }
        let signed_headers = self.authorization("SignedHeaders")?;
        let headers: String = signed_headers
            .split(';')
            .filter_map(|name| Some(format!("{name}:{}\n", self.headers.get(name)?)))
            .collect();
        let query = if self.verb.eq_ignore_ascii_case("POST") { String::new() } else { query(&self.params) };
        let request = format!(
            "{}\n{}\n{query}\n{headers}\n{signed_headers}\n{}",
            self.verb.to_ascii_uppercase(),
            self.path,
            self.body_hash
        );
        let date = self.headers.get("x-amz-date").copied().or_else(|| self.param("X-Amz-Date"))?;
        let (_, scope) = self.authorization("Credential")?.split_once('/')?;
        if !date.starts_with(scope.split('/').next()?) {
            return None;
        }
        let signed = format!("{V4}\n{date}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
        Some(hex(&sha256(&v4_key(secret, scope)?, signed.as_bytes())))
    }
}

/// The key of a day, a region and a service: `20150830/us-east-1/ec2/aws4_request`.
fn v4_key(secret: &str, scope: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = scope.split('/').collect();
    let [date, region, service, "aws4_request"] = parts[..] else { return None };
    let first = sha256(format!("AWS4{secret}").as_bytes(), date.as_bytes());
    Some([region, service, "aws4_request"].iter().fold(first, |key, part| sha256(&key, part.as_bytes())))
}

fn query(params: &BTreeMap<&str, String>) -> String {
    let pairs: Vec<String> =
        params.iter().map(|(key, value)| format!("{}={}", quote(key), quote(value))).collect();
    pairs.join("&")
}

pub fn quote(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => (b as char).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// S3: `token` is what was signed, in base64.
pub fn verifies_s3(secret: &str, token: &str, signature: &str) -> bool {
    let Ok(signed) = BASE64_URL_SAFE.decode(token).or_else(|_| BASE64_STANDARD.decode(token)) else {
        return false;
    };
    let made = if signed.starts_with(b"AWS4") {
        sign_s3_v4(secret, &signed)
    } else {
        Some(BASE64_STANDARD.encode(sha1(secret.as_bytes(), &signed)))
    };
    made.is_some_and(|made| same(&made, signature))
}

fn sign_s3_v4(secret: &str, signed: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(signed).ok()?;
    let lines: Vec<&str> = text.split('\n').collect();
    let [V4, _, scope, _] = lines[..] else { return None };
    let service = scope.split('/').nth(2)?;
    if !["s3", "iam", "sts"].contains(&service) {
        return None;
    }
    Some(hex(&sha256(&v4_key(secret, scope)?, signed)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verifies(credentials: &Value, secret: &str, signature: &str) -> bool {
        Ec2Request::new(credentials.as_object().unwrap()).verifies(secret, signature)
    }

    /// The vectors of keystoneclient's own tests of its signer.
    #[test]
    fn signs_as_the_clients_do() {
        let secret = "89cdf9e94e2643cab35b8b8ac5a51f83";
        let zero = json!({"params": {"SignatureVersion": "0", "Action": "Test", "Timestamp": "2012-11-11T22:44:20Z"}});
        let made = BASE64_STANDARD.encode(sha1(secret.as_bytes(), b"Test2012-11-11T22:44:20Z"));
        assert!(verifies(&zero, secret, &made));
        let two = json!({
            "host": "127.0.0.1:8773", "verb": "GET", "path": "/v1/",
            "params": {"SignatureVersion": "2", "AWSAccessKeyId": "66445b7e5d9d4b9c87e5a1a6ab8e9b9c"},
        });
        let ours = Ec2Request::new(two.as_object().unwrap());
        let made = ours.sign(secret, "127.0.0.1:8773").unwrap();
        assert!(verifies(&two, secret, &made));
        let without_port = ours.sign(secret, "127.0.0.1").unwrap();
        assert!(verifies(&two, secret, &without_port) && made != without_port);
        assert!(!verifies(&two, "other", &made));
        assert!(!verifies(&json!({"params": {"SignatureVersion": "9"}}), secret, &made));
    }

    /// "Authenticating requests with signature version 4", the documented example `GET ListUsers`.
    #[test]
    fn signs_the_documented_example() {
        let request = json!({
            "verb": "GET", "host": "iam.amazonaws.com", "path": "/",
            "params": {"Action": "ListUsers", "Version": "2010-05-08"},
            "headers": {
                "Host": "iam.amazonaws.com",
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "X-Amz-Date": "20150830T123600Z",
                "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                                  SignedHeaders=content-type;host;x-amz-date, Signature=x",
            },
            "body_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        });
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let known = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert!(verifies(&request, secret, known));
        assert!(!verifies(&request, secret, &known.replace('5', "6")));
    }

    #[test]
    fn s3_in_both_versions() {
        let signed = "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg";
        let token = BASE64_URL_SAFE.encode(signed);
        let secret = "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o";
        assert!(verifies_s3(secret, &token, "xXjDGYUmKxnwqr5KXNPGldn5LbA="));
        assert!(!verifies_s3("other", &token, "xXjDGYUmKxnwqr5KXNPGldn5LbA="));
        let v4 = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
                  7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972";
        let known = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        assert!(verifies_s3(secret, &BASE64_URL_SAFE.encode(v4), known));
        let elsewhere = v4.replace("/s3/", "/ec2/");
        assert!(!verifies_s3(secret, &BASE64_URL_SAFE.encode(elsewhere), known));
        assert!(!verifies_s3(secret, "***", known));
    }
}
