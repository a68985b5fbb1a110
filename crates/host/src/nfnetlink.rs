//! Netfilter's netlink family, as little of it as is needed: a request and the attributes of its answers.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use crate::{Error, Result};

/// Subsystem and message in one, as in the header's type.
pub const CONNTRACK_GET: u16 = 0x0101;
pub const CONNTRACK_DELETE: u16 = 0x0102;
const NFTABLES_GET_GENERATION: u16 = 0x0a10;

const HEADER: usize = 16;
/// Family, version and resource id follow the header in every message.
const FAMILY_HEADER: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;

pub struct Nfnetlink(Socket);

impl Nfnetlink {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_NETFILTER)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(Self(socket))
        };
        open().map_err(|error: io::Error| Error::Link(format!("cannot open a netfilter socket: {error}")))
    }

    /// Attributes of each object that the kernel lists.
    pub fn dump(&self, message: u16, family: u8) -> io::Result<Vec<Vec<u8>>> {
        self.exchange(message, DUMP, family, &[])
    }

    pub fn act(&self, message: u16, family: u8, attributes: &[u8]) -> io::Result<()> {
        self.exchange(message, ACK, family, attributes).map(drop)
    }

    /// The first error, if there is any: then nothing of it was done.
    pub fn commit(&self, mut batch: Batch) -> io::Result<()> {
        // Errors come unasked; to know of success, one message wants an answer.
        let flags = batch.last + 6;
        batch.bytes[flags..flags + 2].copy_from_slice(&(REQUEST | Batch::CREATE | ACK).to_ne_bytes());
        batch.message(Batch::END, REQUEST, 0, Batch::NFTABLES, &[]);
        self.0.send(&batch.bytes, 0)?;
        let (datagram, _) = self.0.recv_from_full()?;
        let code = datagram.get(HEADER..).and_then(|body| body.first_chunk()).copied();
        match code.map(i32::from_ne_bytes) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code)),
            None => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    }

    fn exchange(&self, message: u16, flags: u16, family: u8, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let length = (HEADER + FAMILY_HEADER + attributes.len()) as u32;
        let mut request = Vec::with_capacity(length as usize);
        request.extend(length.to_ne_bytes());
        request.extend(message.to_ne_bytes());
        request.extend((REQUEST | flags).to_ne_bytes());
        // Sequence and port: the socket serves one request at a time.
        request.extend([0; 8]);
        request.extend([family, 0, 0, 0]);
        request.extend_from_slice(attributes);
        self.0.send(&request, 0)?;

        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.0.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while rest.len() >= HEADER {
                let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                let kind = u16::from_ne_bytes([rest[4], rest[5]]);
                if length < HEADER || length > rest.len() {
                    return Err(io::Error::from(io::ErrorKind::InvalidData));
                }
                let body = &rest[HEADER..length];
                match kind {
                    NLMSG_DONE => return Ok(answers),
                    NLMSG_ERROR => {
                        let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        return if code == 0 {
                            Ok(answers)
                        } else {
                            Err(io::Error::from_raw_os_error(-code))
                        };
                    }
                    _ => answers.push(body.get(FAMILY_HEADER..).unwrap_or_default().to_vec()),
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
            if flags == 0 {
                return Ok(answers);
            }
        }
    }
}

/// Messages that the kernel carries out all together or not at all.
pub struct Batch {
    bytes: Vec<u8>,
    /// Where the last message begins.
    last: usize,
}

impl Batch {
    const BEGIN: u16 = 0x10;
    const END: u16 = 0x11;
    const GENERATION: u16 = 1;
    const NFTABLES: u16 = 10;
    const CREATE: u16 = 0x400;

    /// Refused by the kernel unless the rules of the namespace are of this generation when it comes.
    pub fn new(generation: u32) -> Self {
        let mut batch = Self { bytes: Vec::with_capacity(4096), last: 0 };
        let mut attributes = Vec::new();
        push_attribute(&mut attributes, Self::GENERATION, false, &generation.to_be_bytes());
        batch.message(Self::BEGIN, REQUEST, 0, Self::NFTABLES, &attributes);
        batch
    }

    pub fn push(&mut self, message: u16, family: u8, attributes: &[u8]) {
        self.last = self.bytes.len();
        self.message(message, REQUEST | Self::CREATE, family, 0, attributes);
    }

    fn message(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) {
        let length = (HEADER + FAMILY_HEADER + attributes.len()) as u32;
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend_from_slice(attributes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Count of changes of the rules in the calling thread's namespace.
pub fn ruleset_generation() -> Result<u32> {
    const GENERATION_ID: u16 = 1;
    let answers = Nfnetlink::open()?
        .exchange(NFTABLES_GET_GENERATION, 0, 0, &[])
        .map_err(|error| Error::Link(format!("cannot read the rules' generation: {error}")))?;
    answers
        .first()
        .and_then(|answer| attributes(answer).find(|(kind, _)| *kind == GENERATION_ID))
        .and_then(|(_, value)| value.first_chunk().map(|id| u32::from_be_bytes(*id)))
        .ok_or_else(|| Error::Link("the kernel told no generation of its rules".to_owned()))
}

/// (type without its flags, value). It ends at the first that is cut short.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Appends an attribute. `nested` marks one that holds attributes itself.
pub fn push_attribute(bytes: &mut Vec<u8>, kind: u16, nested: bool, value: &[u8]) {
    bytes.extend(((value.len() + 4) as u16).to_ne_bytes());
    bytes.extend((kind | if nested { 0x8000 } else { 0 }).to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back() {
        let mut bytes = Vec::new();
        push_attribute(&mut bytes, 1, true, &[1, 2, 3]);
        push_attribute(&mut bytes, 7, false, &[]);
        push_attribute(&mut bytes, 2, false, &[4; 8]);
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read, [(1, &[1u8, 2, 3][..]), (7, &[][..]), (2, &[4; 8][..])]);
        assert_eq!(attributes(&bytes[..6]).count(), 0);
        assert_eq!(attributes(&[]).count(), 0);
    }
}
