//! Candidates over worlds that are built by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::candidates;
use super::{Group, MemberOf, Request, Traits};
use crate::inventories::Inventory;
use crate::providers::store::ProviderRow;
use crate::world::{Known, World};

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn provider(uuid: &str, parent: Option<&str>, root: &str, has: &[(&str, i64)]) -> Known {
    let inventory = |class: &str, total: i64| Inventory {
        resource_class: class.into(),
        total,
        reserved: 0,
        min_unit: 1,
        max_unit: total,
        step_size: 1,
        allocation_ratio: 1.0,
        used: 0,
        updated_at: 0,
    };
    Known {
        row: ProviderRow {
            uuid: uuid.into(),
            name: uuid.into(),
            generation: 0,
            parent: parent.map(Into::into),
            root: root.into(),
            updated_at: 0,
        },
        inventories: has.iter().map(|(c, n)| ((*c).to_owned(), inventory(c, *n))).collect::<BTreeMap<_, _>>(),
        traits: BTreeSet::new(),
        aggregates: BTreeSet::new(),
    }
}

fn group(suffix: &str, wants: &[(&str, i64)]) -> Group {
    Group {
        suffix: suffix.into(),
        resources: wants.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect(),
        ..Group::default()
    }
}

fn ask(groups: Vec<Group>) -> Request {
    Request { groups, nested: true, ..Request::default() }
}

/// Each candidate as `provider:class=amount`, sorted.
fn shown(world: &World, request: &Request) -> Vec<String> {
    let found = candidates(world, request);
    let mut all: Vec<String> = found
        .candidates
        .iter()
        .map(|c| {
            let parts = c
                .resources
                .iter()
                .map(|((at, class), n)| format!("{}:{class}={n}", world.providers[*at].row.uuid));
            parts.collect::<Vec<_>>().join(" ")
        })
        .collect();
    all.sort();
    all
}

#[test]
fn whole_hosts() {
    let mut small = provider("a", None, "a", &[("VCPU", 2), ("MEMORY_MB", 64)]);
    small.inventories.get_mut("VCPU").unwrap().used = 1;
    let world = World::new(vec![small, provider("b", None, "b", &[("VCPU", 4), ("MEMORY_MB", 128)])]);
    assert_eq!(
        shown(&world, &ask(vec![group("", &[("VCPU", 1), ("MEMORY_MB", 64)])])),
        ["a:MEMORY_MB=64 a:VCPU=1", "b:MEMORY_MB=64 b:VCPU=1"]
    );
    assert_eq!(shown(&world, &ask(vec![group("", &[("VCPU", 2)])])), ["b:VCPU=2"]);
    assert!(shown(&world, &ask(vec![group("", &[("VCPU", 5)])])).is_empty());
    let mut limited = ask(vec![group("", &[("VCPU", 1)])]);
    limited.limit = Some(1);
    assert_eq!(candidates(&world, &limited).summaries.len(), 1);
}

/// A host whose cards are providers of their own, a second host, and a disk that both share.
fn rack() -> World {
    let mut hosts = vec![
        provider("h1", None, "h1", &[("VCPU", 4)]),
        provider("h1-nic0", Some("h1"), "h1", &[("SRIOV_NET_VF", 2)]),
        provider("h1-nic1", Some("h1"), "h1", &[("SRIOV_NET_VF", 1)]),
        provider("h2", None, "h2", &[("VCPU", 4)]),
        provider("disk", None, "disk", &[("DISK_GB", 100)]),
    ];
    hosts[2].traits = set(&["HW_NIC_OFFLOAD_GENEVE"]);
    hosts[4].traits = set(&["MISC_SHARES_VIA_AGGREGATE"]);
    for at in [0, 3, 4] {
        hosts[at].aggregates = set(&["rack"]);
    }
    World::new(hosts)
}

#[test]
fn trees_and_sharing() {
    let world = rack();
    assert_eq!(
        shown(&world, &ask(vec![group("", &[("VCPU", 1), ("DISK_GB", 10)])])),
        ["h1:VCPU=1 disk:DISK_GB=10", "h2:VCPU=1 disk:DISK_GB=10"]
    );
    assert_eq!(
        shown(&world, &ask(vec![group("", &[("VCPU", 1), ("SRIOV_NET_VF", 1)])])),
        ["h1:VCPU=1 h1-nic0:SRIOV_NET_VF=1", "h1:VCPU=1 h1-nic1:SRIOV_NET_VF=1"]
    );
    let mut geneve = group("", &[("VCPU", 1), ("SRIOV_NET_VF", 1)]);
    geneve.traits.required = vec![set(&["HW_NIC_OFFLOAD_GENEVE"])];
    assert_eq!(shown(&world, &ask(vec![geneve.clone()])), ["h1:VCPU=1 h1-nic1:SRIOV_NET_VF=1"]);
    geneve.traits = Traits { required: Vec::new(), forbidden: set(&["HW_NIC_OFFLOAD_GENEVE"]) };
    assert_eq!(shown(&world, &ask(vec![geneve])), ["h1:VCPU=1 h1-nic0:SRIOV_NET_VF=1"]);
    // A client from before 1.29 is shown no tree.
    let mut old = ask(vec![group("", &[("VCPU", 1), ("SRIOV_NET_VF", 1)])]);
    old.nested = false;
    assert!(shown(&world, &old).is_empty());
}

#[test]
fn groups_on_providers_of_their_own() {
    let world = rack();
    let vf = |suffix| group(suffix, &[("SRIOV_NET_VF", 1)]);
    let mut request = ask(vec![group("", &[("VCPU", 1)]), vf("1"), vf("2")]);
    assert_eq!(
        shown(&world, &request),
        [
            "h1:VCPU=1 h1-nic0:SRIOV_NET_VF=1 h1-nic1:SRIOV_NET_VF=1",
            "h1:VCPU=1 h1-nic0:SRIOV_NET_VF=1 h1-nic1:SRIOV_NET_VF=1",
            "h1:VCPU=1 h1-nic0:SRIOV_NET_VF=2",
        ]
    );
    request.isolate = true;
    assert_eq!(candidates(&world, &request).candidates.len(), 2);
    request.isolate = false;
    request.same_subtrees = vec![set(&["1", "2"])];
    assert_eq!(shown(&world, &request), ["h1:VCPU=1 h1-nic0:SRIOV_NET_VF=2"]);
}

#[test]
fn anchors_aggregates_and_trees_limit() {
    let world = rack();
    let mut member = group("", &[("VCPU", 1)]);
    member.member_of = MemberOf { required: vec![set(&["rack"])], forbidden: BTreeSet::new() };
    assert_eq!(shown(&world, &ask(vec![member.clone()])), ["h1:VCPU=1", "h2:VCPU=1"]);
    member.member_of = MemberOf { required: Vec::new(), forbidden: set(&["rack"]) };
    assert!(shown(&world, &ask(vec![member])).is_empty());
    let mut tree = group("", &[("VCPU", 1)]);
    tree.in_tree = Some("h1-nic1".into());
    assert_eq!(shown(&world, &ask(vec![tree])), ["h1:VCPU=1"]);
    let mut root = ask(vec![group("", &[("DISK_GB", 1)])]);
    assert_eq!(shown(&world, &root).len(), 1);
    root.root.required = vec![set(&["MISC_SHARES_VIA_AGGREGATE"])];
    assert_eq!(shown(&world, &root), ["disk:DISK_GB=1"]);
}
