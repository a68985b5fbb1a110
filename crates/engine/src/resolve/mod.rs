//! From names to ids: everything that can be wrong with a request is found here, before anything is made.

mod addons;

use ipnet::Ipv4Net;
use openstack::{Flavor, Image, Network, Subnet};

use crate::spec::{AdoptedNetwork, normalize_version};
use crate::{Addon, Cloud, ClusterSpec, Cni, Error, NodeImage, Result, Wanted};

/// kubeadm refuses a control plane with fewer than 2 CPUs; below 3 GiB etcd and the API server starve each other.
const CONTROL_PLANE: Least = Least { vcpus: 2, ram: 3072 };
const WORKER: Least = Least { vcpus: 1, ram: 2048 };

/// The names of the images that `cumulet image build node` makes.
const OUR_IMAGES: &str = "debian-13-kubernetes-";

#[derive(Debug, Clone, Copy)]
struct Least {
    vcpus: u32,
    /// MiB.
    ram: u64,
}

pub(crate) async fn resolve(spec: &ClusterSpec, uuid: String, cloud: &dyn Cloud) -> Result<Wanted> {
    spec.check()?;
    let capabilities = cloud.capabilities().await?;
    if !capabilities.routers() {
        return Err(Error::spec(format!(
            "cloud `{}` has no routers, which the cluster's network needs",
            cloud.cloud_name()
        )));
    }
    let (image, kubernetes) = choose_image(spec, cloud.images(&[("status", "active")]).await?)?;
    let flavors = cloud.flavors().await?;
    let control_plane_flavor = choose_flavor(
        "--control-plane-flavor",
        spec.control_plane_flavor.as_deref(),
        &flavors,
        CONTROL_PLANE,
        &image,
    )?;
    let worker_flavor = choose_flavor("--flavor", spec.worker_flavor.as_deref(), &flavors, WORKER, &image)?;
    let external = cloud.networks(&[("router:external", "true")]).await?;
    let external_network = choose_external(spec.external_network.as_deref(), external)?;
    let mut ranges = spec.ranges();
    let adopted_network = match &spec.network {
        Some(name) => {
            let (network, range) = adopt_network(name, cloud).await?;
            ranges.node = range;
            ranges.check()?;
            Some(network)
        }
        None => None,
    };
    let (addons, cni) = addons::choose(spec, &kubernetes, cloud).await?;
    let adopted_router = match &adopted_network {
        Some(network) if cni == Cni::Router => Some(addons::router_of(network, cloud).await?),
        _ => None,
    };
    let ignore_volume_zones = addons.contains(&Addon::CinderCsi) && !addons::zones_agree(spec, cloud).await?;
    let adopted_floating_ip = match spec.floating_ip {
        Some(address) => Some(adopt_floating_ip(&address.to_string(), cloud).await?),
        None => None,
    };
    Ok(Wanted {
        uuid,
        name: spec.name.clone(),
        workers: spec.workers(),
        control_planes: 1,
        kubernetes,
        image: NodeImage {
            flannel_plugin: image.name.starts_with(OUR_IMAGES) || image.property("cumulet_node").is_some(),
            id: image.id,
            name: image.name,
        },
        control_plane_flavor,
        worker_flavor,
        external_network,
        adopted_network,
        adopted_floating_ip,
        ssh_public_key: spec.ssh_public_key.as_ref().map(|key| key.trim().to_owned()),
        availability_zone: spec.availability_zone.clone(),
        node_cidr: ranges.node,
        pod_cidr: ranges.pod,
        service_cidr: ranges.service,
        dns_nameservers: spec.dns_nameservers.clone().unwrap_or_default(),
        node_ports_from: spec.node_ports_from(),
        server_group_policy: capabilities.soft_server_groups().then(|| "soft-anti-affinity".to_owned()),
        tags: capabilities.tags(),
        addons,
        cni,
        adopted_router,
        ignore_volume_zones,
    })
}

/// The version inside an image: its property, else the end of its name (`debian-13-kubernetes-v1.36.3`).
fn version_of(image: &Image) -> Option<String> {
    let from_name = || {
        let (_, tail) = image.name.rsplit_once("kubernetes-").or_else(|| image.name.rsplit_once("kube-"))?;
        Some(tail.to_owned())
    };
    let text = image.property("kubernetes_version").map(str::to_owned).or_else(from_name)?;
    normalize_version(&text).ok()
}

fn choose_image(spec: &ClusterSpec, images: Vec<Image>) -> Result<(Image, String)> {
    let asked = spec.kubernetes.as_deref().map(normalize_version).transpose()?;
    if let Some(name) = &spec.image {
        let image = one("image", name, images, |image| (&image.id, &image.name))?;
        let version = match (version_of(&image), asked) {
            (Some(has), Some(asked)) if has != asked => {
                return Err(Error::spec(format!("image `{name}` holds Kubernetes {has}, not {asked}")));
            }
            (Some(has), _) => has,
            (None, Some(asked)) => asked,
            (None, None) => {
                return Err(Error::spec(format!(
                    "image `{name}` does not say which Kubernetes it holds (no property kubernetes_version); \
                     say it with --kubernetes"
                )));
            }
        };
        return Ok((image, version));
    }
    let mut found: Vec<(Image, String)> =
        images.into_iter().filter_map(|image| version_of(&image).map(|version| (image, version))).collect();
    let known: Vec<String> = found.iter().map(|(_, version)| version.clone()).collect();
    if let Some(asked) = &asked {
        found.retain(|(_, version)| version == asked);
    }
    found.sort_by_key(|(image, version)| (numbers(version), image.created_at.clone(), image.id.clone()));
    found.pop().ok_or_else(|| match asked {
        Some(asked) if !known.is_empty() => {
            Error::spec(format!("no image holds Kubernetes {asked} (there are: {})", known.join(", ")))
        }
        _ => Error::spec(
            "the cloud has no image with Kubernetes in it; make one with `cumulet image build node`, or name one with \
             --image and --kubernetes",
        ),
    })
}

fn numbers(version: &str) -> Vec<u32> {
    version.trim_start_matches('v').split('.').filter_map(|part| part.parse().ok()).collect()
}

fn choose_flavor(
    flag: &str,
    asked: Option<&str>,
    flavors: &[Flavor],
    least: Least,
    image: &Image,
) -> Result<String> {
    let ram = least.ram.max(image.min_ram);
    // A flavor of disk 0 takes the image's size, where the cloud lets its users do so: by default it does not.
    let fits = |flavor: &Flavor| {
        flavor.vcpus >= least.vcpus
            && flavor.ram >= ram
            && (flavor.disk == 0 || flavor.disk >= image.min_disk)
    };
    let needs = format!("{} vCPU, {ram} MiB of memory and {} GiB of disk", least.vcpus, image.min_disk);
    if let Some(name) = asked {
        let flavor = one("flavor", name, flavors.to_vec(), |flavor| (&flavor.id, &flavor.name))?;
        if !fits(&flavor) {
            return Err(Error::spec(format!("flavor `{name}` is too small: such a node needs {needs}")));
        }
        return Ok(flavor.id);
    }
    let smallest = flavors
        .iter()
        .filter(|flavor| fits(flavor) && flavor.disk > 0)
        .min_by_key(|flavor| (flavor.ram, flavor.vcpus, flavor.disk, flavor.name.clone()));
    smallest
        .map(|flavor| flavor.id.clone())
        .ok_or_else(|| Error::spec(format!("no flavor has {needs}; have one made, or choose with {flag}")))
}

fn choose_external(asked: Option<&str>, networks: Vec<Network>) -> Result<String> {
    if let Some(name) = asked {
        return Ok(one("external network", name, networks, |network| (&network.id, &network.name))?.id);
    }
    let names: Vec<String> = networks.iter().map(|network| network.name.clone()).collect();
    let mut networks = networks;
    match (networks.pop(), networks.is_empty()) {
        (Some(only), true) => Ok(only.id),
        (Some(_), false) => Err(Error::spec(format!(
            "the cloud has several external networks ({}); choose one with --external-network",
            names.join(", ")
        ))),
        (None, _) => Err(Error::spec(
            "the cloud has no external network that this project may use, so the API could not be reached; ask its \
             administrator for one",
        )),
    }
}

/// The network, and its addresses.
async fn adopt_network(name: &str, cloud: &dyn Cloud) -> Result<(AdoptedNetwork, Ipv4Net)> {
    let network = one("network", name, cloud.networks(&[]).await?, |network| (&network.id, &network.name))?;
    let subnets = cloud.subnets(&[("network_id", network.id.as_str())]).await?;
    let subnets: Vec<Subnet> = subnets
        .into_iter()
        .filter(|subnet| subnet.network_id == network.id && subnet.ip_version == 4)
        .collect();
    match subnets.as_slice() {
        [only] => {
            let range = only.cidr.parse().map_err(|_| {
                Error::spec(format!(
                    "network `{name}` has a subnet with the range `{}`, which is none",
                    only.cidr
                ))
            })?;
            Ok((AdoptedNetwork { network_id: network.id, subnet_id: only.id.clone() }, range))
        }
        others => Err(Error::spec(format!(
            "network `{name}` has {} IPv4 subnets; the cluster needs a network with exactly one",
            others.len()
        ))),
    }
}

async fn adopt_floating_ip(address: &str, cloud: &dyn Cloud) -> Result<String> {
    let project = cloud.project_id();
    let all = cloud.floating_ips(&[("project_id", project.as_str())]).await?;
    let found = all.into_iter().find(|ip| ip.floating_ip_address == address);
    Ok(found.ok_or_else(|| Error::spec(format!("the project has no floating IP {address}")))?.id)
}

/// Exactly one by id or name.
fn one<T>(kind: &str, wanted: &str, all: Vec<T>, key: impl Fn(&T) -> (&String, &String)) -> Result<T> {
    let names: Vec<String> =
        all.iter().map(|item| key(item).1.clone()).filter(|name| !name.is_empty()).collect();
    let mut found: Vec<T> =
        all.into_iter().filter(|item| key(item).0 == wanted || key(item).1 == wanted).collect();
    match (found.pop(), found.is_empty()) {
        (Some(item), true) => Ok(item),
        (Some(_), false) => {
            Err(Error::spec(format!("{} {kind}s are called `{wanted}`; give an id", found.len() + 1)))
        }
        (None, _) if names.is_empty() => {
            Err(Error::spec(format!("there is no {kind} `{wanted}`, nor any other")))
        }
        (None, _) => {
            let mut names: Vec<String> = names.into_iter().take(12).collect();
            names.sort();
            Err(Error::spec(format!("there is no {kind} `{wanted}` (there are: {})", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn image(name: &str, version: Option<&str>) -> Image {
        let other = version.map(|version| ("kubernetes_version".to_owned(), version.into()));
        Image {
            id: format!("id-{name}"),
            name: name.into(),
            status: "active".into(),
            min_disk: 8,
            min_ram: 0,
            size: None,
            created_at: None,
            other: other.into_iter().collect::<BTreeMap<_, _>>(),
        }
    }
    fn flavor(name: &str, vcpus: u32, ram: u64, disk: u64) -> Flavor {
        Flavor { id: format!("id-{name}"), name: name.into(), vcpus, ram, disk }
    }
    fn spec() -> ClusterSpec {
        ClusterSpec::new("demo", 1).unwrap()
    }

    #[test]
    fn the_newest_kubernetes_is_taken_by_number() {
        let images = || {
            vec![
                image("cirros", None),
                image("debian-13-kubernetes-v1.9.0", None),
                image("ubuntu-2404-kube-v1.36.1", None),
                image("mine", Some("1.36.10")),
            ]
        };
        let (image, version) = choose_image(&spec(), images()).unwrap();
        assert_eq!((image.name.as_str(), version.as_str()), ("mine", "v1.36.10"));
        let asked = ClusterSpec { kubernetes: Some("1.9.0".into()), ..spec() };
        assert_eq!(choose_image(&asked, images()).unwrap().0.name, "debian-13-kubernetes-v1.9.0");
        let missing = ClusterSpec { kubernetes: Some("1.2.3".into()), ..spec() };
        assert_eq!(
            choose_image(&missing, images()).unwrap_err().to_string(),
            "no image holds Kubernetes v1.2.3 (there are: v1.9.0, v1.36.1, v1.36.10)"
        );
    }

    #[test]
    fn a_named_image_must_say_its_version_or_be_told() {
        let named = |kubernetes: Option<&str>| ClusterSpec {
            image: Some("plain".into()),
            kubernetes: kubernetes.map(str::to_owned),
            ..spec()
        };
        assert!(choose_image(&named(None), vec![image("plain", None)]).is_err());
        assert_eq!(choose_image(&named(Some("1.36.3")), vec![image("plain", None)]).unwrap().1, "v1.36.3");
        assert!(choose_image(&named(Some("1.36.3")), vec![image("plain", Some("1.36.2"))]).is_err());
    }

    #[test]
    fn the_smallest_flavor_that_fits() {
        let flavors = [
            flavor("tiny", 1, 512, 1),
            flavor("small", 1, 2048, 20),
            flavor("medium", 2, 4096, 4),
            flavor("k", 2, 4096, 0),
            flavor("large", 4, 8192, 40),
        ];
        let choose = |asked, least| choose_flavor("--flavor", asked, &flavors, least, &image("i", None));
        assert_eq!(choose(None, WORKER).unwrap(), "id-small");
        assert_eq!(choose(None, CONTROL_PLANE).unwrap(), "id-large");
        assert_eq!(choose(Some("k"), CONTROL_PLANE).unwrap(), "id-k");
        assert_eq!(
            choose(Some("medium"), WORKER).unwrap_err().to_string(),
            "flavor `medium` is too small: such a node needs 1 vCPU, 2048 MiB of memory and 8 GiB of disk"
        );
        assert!(
            choose(Some("none"), WORKER)
                .unwrap_err()
                .to_string()
                .contains("there are: k, large, medium, small, tiny")
        );
    }

    #[test]
    fn the_external_network_is_found_only_without_doubt() {
        let network = |name: &str| Network {
            id: format!("id-{name}"),
            name: name.into(),
            description: String::new(),
            status: String::new(),
            external: true,
            shared: false,
            mtu: None,
            subnets: vec![],
            tags: vec![],
        };
        assert_eq!(choose_external(None, vec![network("a")]).unwrap(), "id-a");
        assert!(choose_external(None, vec![]).is_err());
        assert!(
            choose_external(None, vec![network("a"), network("b")])
                .unwrap_err()
                .to_string()
                .contains("(a, b)")
        );
        assert_eq!(choose_external(Some("b"), vec![network("a"), network("b")]).unwrap(), "id-b");
    }
}
