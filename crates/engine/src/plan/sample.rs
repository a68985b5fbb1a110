//! A cluster for tests.

use crate::node;
use crate::spec::{ClusterSpec, NodeImage, Wanted};

pub(crate) const UUID: &str = "6a1f0c8e-2f6b-4a3e-9d51-3f1f6f9f7c11";

pub(crate) fn wanted(workers: u32) -> Wanted {
    let spec = ClusterSpec::new("demo", workers).unwrap();
    let ranges = spec.ranges();
    Wanted {
        uuid: UUID.to_owned(),
        name: spec.name.clone(),
        workers,
        control_planes: 1,
        kubernetes: "v1.36.3".to_owned(),
        image: NodeImage {
            id: "image".to_owned(),
            name: "debian-13-kubernetes-v1.36.3".to_owned(),
            flannel_plugin: true,
        },
        control_plane_flavor: "medium".to_owned(),
        worker_flavor: "small".to_owned(),
        external_network: "public".to_owned(),
        adopted_network: None,
        adopted_floating_ip: None,
        ssh_public_key: Some("ssh-ed25519 AAAA me".to_owned()),
        availability_zone: None,
        node_cidr: ranges.node,
        pod_cidr: ranges.pod,
        service_cidr: ranges.service,
        dns_nameservers: vec![],
        node_ports_from: spec.node_ports_from(),
        server_group_policy: Some("soft-anti-affinity".to_owned()),
        tags: true,
        addons: crate::Addon::ALL.into_iter().filter(|addon| addon.by_default()).collect(),
        cni: crate::Cni::Flannel,
        adopted_router: None,
        ignore_volume_zones: false,
    }
}

pub(crate) fn mark() -> String {
    node::mark(UUID)
}
