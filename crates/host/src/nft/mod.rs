//! Packet rules. Rendering is pure and golden-tested; loading is one transaction, by `nft -f -` or, for the few elements
//! of sets that one port more or less is, straight to the kernel.
//!
//! A frame's way through a network's namespace. The bridge family has no connection tracking on every kernel, so
//! spoofing is judged there without state, and security groups in the inet family, which sees bridged packets
//! through br_netfilter. What connects the two is the packet's mark: the number of the port that is judged.
//!
//! ```text
//!   tap A ─► bridge prerouting   mark = A; is the source A's own?
//!            inet   forward      A's code point (DSCP); A's egress rules
//!            bridge forward      mark = B; is the destination B's own?
//!            inet   postrouting  B's ingress rules ─► tap B
//! ```
//!
//! Packets are counted, on networks where a port has a limit, before anything else is asked of A's, and after B's rules: what they
//! refuse is not to use up what B may receive.
//!
//! Everything about a port is an element of a set or map under its mark, and its rules are a chain that ports with equal
//! rules share. So what one port costs does not depend on how many there are.

mod anti_spoof;
mod batch;
mod element;
pub mod host;
mod limits;
mod load;
pub mod network;
mod packets;
pub mod router;
mod ruleset;
mod security_group;
#[cfg(test)]
mod tests;

pub use anti_spoof::link_local;
pub use load::{Loaded, counters, load};
pub(crate) use security_group::effective_protocol;

/// The table's name, in every family and namespace of the cloud.
pub const TABLE: &str = "cumulet";

/// Lines of a ruleset with their indentation.
#[derive(Default)]
struct Text {
    out: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.out.push('\t');
        }
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    fn block(&mut self, head: impl std::fmt::Display, body: impl FnOnce(&mut Self)) {
        self.line(format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    /// Loaded in one transaction, this replaces the table without a moment in which there is none.
    fn replace_table(&mut self, family: &str, table: &str, body: impl FnOnce(&mut Self)) {
        self.line(format!("add table {family} {table}"));
        self.line(format!("delete table {family} {table}"));
        self.block(format!("table {family} {table}"), body);
    }

    /// A named set or map. nft refuses an empty list of elements, so none is written then.
    fn elements(&mut self, head: &str, kind: &str, elements: &[String]) {
        self.block(head, |text| {
            text.line(kind);
            if !elements.is_empty() {
                text.line("elements = {");
                text.depth += 1;
                for element in elements {
                    text.line(format!("{element},"));
                }
                text.depth -= 1;
                text.line("}");
            }
        });
    }
}
