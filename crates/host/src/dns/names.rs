//! The names of a network's own machines, from the plan.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::message::{self, Question, Rest};
use crate::plan::{NetworkPlan, PortKind};

/// Names are in lower case and without trailing dot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    addresses: HashMap<String, Vec<IpAddr>>,
    names: HashMap<IpAddr, String>,
    /// Domains all of whose names are in here.
    domains: HashSet<String>,
}

impl Names {
    #[must_use]
    pub fn new(plan: &NetworkPlan) -> Self {
        let domains: HashMap<&str, &str> =
            plan.subnets.iter().map(|subnet| (subnet.id.as_str(), subnet.dns_domain.as_str())).collect();
        let mut known = Self::default();
        for port in plan.ports.iter().filter(|port| port.kind == PortKind::Vm && !port.hostname.is_empty()) {
            for (subnet, address) in &port.fixed_ips {
                let domain = match port.dns_domain.as_str() {
                    "" => domains.get(subnet.as_str()).copied().unwrap_or_default(),
                    own => own,
                };
                let name = match domain {
                    "" => port.hostname.clone(),
                    domain => format!("{}.{domain}", port.hostname),
                };
                let name = name.to_ascii_lowercase();
                known.addresses.entry(name.clone()).or_default().push(*address);
                known.names.insert(*address, name);
                known.domains.insert(domain.to_ascii_lowercase());
            }
        }
        known.domains.remove("");
        known
    }

    /// The whole answer; `None` for a question that is not ours.
    #[must_use]
    pub fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let question = Question::parse(bytes)?;
        let name = question.name.as_str();
        if let Some(address) = message::reverse(name) {
            let name = self.names.get(&address)?;
            return Some(question.answer(bytes, &[Rest::name(name)], true));
        }
        match self.addresses.get(name) {
            Some(addresses) => {
                let asked = |address: &&IpAddr| match question.kind {
                    message::A => address.is_ipv4(),
                    message::AAAA => address.is_ipv6(),
                    message::ANY => true,
                    _ => false,
                };
                let rest: Vec<Rest> =
                    addresses.iter().filter(asked).map(|address| Rest::address(*address)).collect();
                Some(question.answer(bytes, &rest, true))
            }
            // The resolvers of this machine would only learn names that are none of their business.
            None => {
                let (_, domain) = name.split_once('.')?;
                self.domains.contains(domain).then(|| question.answer(bytes, &[], false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PortPlan, SubnetPlan};

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    fn names() -> Names {
        let subnet = |id: &str, domain: &str| SubnetPlan {
            id: id.into(),
            dns_domain: domain.into(),
            ..SubnetPlan::default()
        };
        let port = |name: &str, domain: &str, ips: &[&str]| PortPlan {
            hostname: name.into(),
            dns_domain: domain.into(),
            kind: PortKind::Vm,
            fixed_ips: ips.iter().map(|ip| ("s".to_owned(), ip.parse().unwrap())).collect(),
            ..PortPlan::default()
        };
        Names::new(&NetworkPlan {
            subnets: vec![subnet("s", "cloud.example")],
            ports: vec![
                port("Web", "", &["10.0.0.5", "2001:db8::5"]),
                port("db", "inner.example", &["10.0.0.6"]),
            ],
            ..NetworkPlan::default()
        })
    }

    /// (response code, authoritative, answers' data)
    fn read(bytes: &[u8]) -> (u8, bool, Vec<Vec<u8>>) {
        let count = u16::from_be_bytes([bytes[6], bytes[7]]);
        let mut at = 12;
        while bytes[at] != 0 {
            at += 1 + usize::from(bytes[at]);
        }
        at += 5;
        let mut all = Vec::new();
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([bytes[at + 10], bytes[at + 11]]));
            all.push(bytes[at + 12..at + 12 + length].to_vec());
            at += 12 + length;
        }
        assert_eq!(at, bytes.len());
        assert_eq!(bytes[..2], [0xab, 0xcd]);
        (bytes[3] & 15, bytes[2] & 4 != 0, all)
    }

    #[test]
    fn machines_are_found_by_name_and_names_by_address() {
        let names = names();
        let ask = |name: &str, kind: u16| names.answer(&question(name, kind)).map(|answer| read(&answer));
        assert_eq!(ask("web.CLOUD.example", message::A), Some((0, true, vec![vec![10, 0, 0, 5]])));
        let six = "2001:db8::5".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
        assert_eq!(ask("web.cloud.example", message::AAAA), Some((0, true, vec![six])));
        assert_eq!(ask("db.inner.example", message::A).unwrap().2, [[10, 0, 0, 6]]);
        assert_eq!(
            ask("db.inner.example", message::AAAA),
            Some((0, true, vec![])),
            "there is no such address"
        );
        assert_eq!(ask("gone.cloud.example", message::A), Some((3, true, vec![])), "there is no such name");
        let (_, _, pointers) = ask("6.0.0.10.in-addr.arpa", 12).unwrap();
        assert_eq!(pointers, [b"\x02db\x05inner\x07example\0".to_vec()]);
        let reversed = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(ask(reversed, 12).unwrap().2.len(), 1);
    }

    #[test]
    fn other_questions_are_not_ours() {
        let names = names();
        for name in ["example.org", "web", "cloud.example", "7.0.0.10.in-addr.arpa"] {
            assert_eq!(names.answer(&question(name, message::A)), None, "{name}");
        }
        let whole = question("web.cloud.example", message::A);
        for length in 0..whole.len() {
            assert_eq!(names.answer(&whole[..length]), None, "cut at {length}");
        }
        // A name that refers to itself.
        let mut looping = question("web.cloud.example", message::A);
        looping[12..14].copy_from_slice(&[0xc0, 12]);
        assert_eq!(names.answer(&looping), None);
    }
}
