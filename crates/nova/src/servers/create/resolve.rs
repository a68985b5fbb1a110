//! A [`Request`]'s names made into things: flavor, image, key, networks, groups; and whether they fit together.

use std::collections::BTreeMap;

use base::{Ctx, Error, Kind, Result};
use cinder::volumes::rules::IMAGE_KEY;
use glance::Image;

use super::parse::{Networks, Request, Requested};
use super::volumes::{self, NewDevice};
use crate::flavors::{self, Flavor};
use crate::keypairs::Keypair;
use crate::server_groups::ServerGroup;
use crate::servers::{Nic, policy, rules};
use crate::{Nova, quotas};

pub(super) struct Resolved {
    pub flavor: Flavor,
    /// None: it boots from a volume.
    pub image: Option<Image>,
    /// Properties of the image that it boots from, or that its volume was made of.
    pub image_properties: BTreeMap<String, String>,
    pub volumes: Vec<NewDevice>,
    pub key: Option<Keypair>,
    pub group: Option<ServerGroup>,
    pub nics: Vec<Nic>,
    pub security_groups: Vec<String>,
    pub zone: Option<String>,
}

pub(super) async fn resolve(nova: &Nova, ctx: &Ctx, request: &Request) -> Result<Resolved> {
    let limits = {
        let mut conn = nova.db.read().await?;
        quotas::limits(&mut conn, Some(ctx.require_project()?)).await?
    };
    check_counts(request, &limits)?;
    // Independent questions to the database and to three services: asked at once.
    let (rows, image, nics, groups) = tokio::join!(
        rows(nova, ctx, request),
        given_image(nova, ctx, request),
        nics(nova, ctx, request),
        security_groups(nova, ctx, request),
    );
    let (flavor, key, group, zone) = rows?;
    let image = image?;
    let boot = volumes::resolve(nova, ctx, request, image.as_ref(), &flavor).await?;
    let image = image.filter(|_| !boot.volume_backed);
    if let Some(image) = &image {
        check_fit(ctx, &flavor, image)?;
    }
    Ok(Resolved {
        flavor,
        image,
        image_properties: boot.properties,
        volumes: boot.volumes,
        key,
        group,
        nics: nics?,
        security_groups: groups?,
        zone,
    })
}

type Rows = (Flavor, Option<Keypair>, Option<ServerGroup>, Option<String>);

async fn rows(nova: &Nova, ctx: &Ctx, request: &Request) -> Result<Rows> {
    let mut conn = nova.db.read().await?;
    let flavor = flavors::get(&mut conn, ctx, &request.flavor)
        .await
        .map_err(|e| if e.is_not_found() { Error::bad_request(e.message) } else { e })?;
    let key = match &request.key_name {
        None => None,
        Some(name) => Some(
            crate::keypairs::store::get(&mut conn, ctx.user_id(), name)
                .await?
                .ok_or_else(|| Error::bad_request("Invalid key_name provided."))?,
        ),
    };
    let group = match &request.group {
        None => None,
        Some(id) => {
            let group = crate::server_groups::store::get(&mut conn, id).await?;
            let group = group.filter(|g| ctx.owns(&g.project_id));
            Some(
                group
                    .ok_or_else(|| Error::bad_request(format!("Instance group {id} could not be found.")))?,
            )
        }
    };
    if let Some(host) = &request.host {
        if !ctx.is_admin() {
            return Err(rules::forbidden(&policy::FORCED_HOST));
        }
        if *host != nova.config.host {
            return Err(Error::bad_request(format!("Compute host {host} could not be found.")));
        }
        // A forced host counts more than a zone that it is not in.
        return Ok((flavor, key, group, None));
    }
    let zone = nova.zone(&mut conn).await?;
    if request.zone.as_ref().is_some_and(|asked| *asked != zone) {
        return Err(Error::bad_request("The requested availability zone is not available"));
    }
    Ok((flavor, key, group, request.zone.clone()))
}

fn check_counts(request: &Request, limits: &quotas::Limits) -> Result<()> {
    check_items(limits, request.metadata.len(), &request.files)?;
    if request.max_count > 1 && request.hostname.is_some() {
        return Err(Error::bad_request("Unable to allocate a single hostname to multiple instances"));
    }
    Ok(())
}

/// Metadata items and injected files within their quotas.
pub(crate) fn check_items(limits: &quotas::Limits, items: usize, files: &[(String, String)]) -> Result<()> {
    let over = |resource: &str, n: usize| {
        let limit = limits.of(resource);
        (limit >= 0 && i64::try_from(n).unwrap_or(i64::MAX) > limit).then_some(limit)
    };
    if let Some(limit) = over("metadata_items", items) {
        return Err(Error::forbidden(format!("Maximum number of metadata items exceeds {limit}")));
    }
    if over("injected_files", files.len()).is_some() {
        return Err(Error::forbidden("Personality file limit exceeded"));
    }
    for (path, content) in files {
        if let Some(limit) = over("injected_file_path_bytes", path.len()) {
            return Err(Error::forbidden(format!("Personality file path exceeds maximum {limit}")));
        }
        let size = crate::schema::decode_base64(content).map_or(0, |c| c.len());
        if let Some(limit) = over("injected_file_content_bytes", size) {
            return Err(Error::forbidden(format!("Personality file content exceeds maximum {limit}")));
        }
    }
    Ok(())
}

async fn given_image(nova: &Nova, ctx: &Ctx, request: &Request) -> Result<Option<Image>> {
    match &request.image {
        Some(id) => {
            let image = image(nova, ctx, id).await?;
            check_plain(&image)?;
            Ok(Some(image))
        }
        None => Ok(None),
    }
}

/// Only volumes are encrypted: nothing opens what was one and is a server's own disk.
pub(crate) fn check_plain(image: &Image) -> Result<()> {
    if image.properties.get(IMAGE_KEY).is_none_or(String::is_empty) {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "Image {} is unacceptable: Direct booting of an image uploaded from an encrypted volume is unsupported.",
        image.id
    )))
}

pub(crate) async fn image(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Image> {
    let image =
        nova.glance.image(ctx, id).await.map_err(|e| {
            if e.is_not_found() { Error::bad_request("Can not find requested image") } else { e }
        })?;
    if image.status != glance::Status::Active {
        return Err(Error::bad_request(format!("Image {id} is not active.")));
    }
    Ok(image)
}

const GIB: i64 = 1 << 30;

pub(crate) fn check_fit(ctx: &Ctx, flavor: &Flavor, image: &Image) -> Result<()> {
    let format = image.disk_format.as_deref().unwrap_or_default();
    if !matches!(format, "qcow2" | "raw") {
        return Err(Error::bad_request(format!(
            "Image {} is unacceptable: its disk_format is {format}; a server boots from qcow2 or raw.",
            image.id
        )));
    }
    if flavor.memory_mib < image.min_ram {
        return Err(Error::bad_request("Flavor's memory is too small for requested image."));
    }
    if flavor.root_gib == 0 {
        if ctx.authorize(&policy::ZERO_DISK, None).is_err() {
            return Err(Error::forbidden(
                "Only volume-backed servers are allowed for flavors with zero disk.",
            ));
        }
        return Ok(());
    }
    let disk = flavor.root_gib * GIB;
    let size = image.virtual_size.or(image.size).unwrap_or(0);
    if size > disk {
        return Err(Error::bad_request(format!(
            "Flavor's disk is too small for requested image. Flavor disk is {disk} bytes, image is {size} bytes."
        )));
    }
    if image.min_disk * GIB > disk {
        return Err(Error::bad_request(rules::disk_smaller_than_minimum(flavor.root_gib, image.min_disk)));
    }
    Ok(())
}

async fn security_groups(nova: &Nova, ctx: &Ctx, request: &Request) -> Result<Vec<String>> {
    let names = match &request.security_groups {
        // Ports that Nova makes get the default group anyhow.
        None => return Ok(Vec::new()),
        Some(names) if names.is_empty() || *names == ["default"] => return Ok(Vec::new()),
        Some(names) => names,
    };
    nova.neutron.security_group_ids(ctx, names).await.map_err(|e| match e.kind {
        Kind::NotFound => Error::bad_request(e.message),
        _ => e,
    })
}

async fn nics(nova: &Nova, ctx: &Ctx, request: &Request) -> Result<Vec<Nic>> {
    match &request.networks {
        Networks::None => Ok(Vec::new()),
        Networks::These(list) => {
            check_many(list, request.max_count)?;
            let mut nics = Vec::with_capacity(list.len());
            for requested in list {
                nics.push(nic(nova, ctx, requested).await?);
            }
            Ok(nics)
        }
        Networks::Default | Networks::Auto => {
            let networks = nova.neutron.default_networks(ctx).await?;
            match &networks[..] {
                [] if request.networks == Networks::Auto => {
                    let network =
                        nova.neutron.auto_allocated_network(ctx).await.map_err(|e| match e.kind {
                            // No default external network, or nothing to cut a subnet from.
                            Kind::Conflict if e.code == "AutoAllocationFailure" => {
                                Error::bad_request(format!(
                                    "Unable to automatically allocate a network for project {}",
                                    ctx.project().map_or("", |project| project.id.as_str())
                                ))
                            }
                            _ => e,
                        })?;
                    Ok(vec![Nic { network_id: network.id, ..Nic::default() }])
                }
                [] => Ok(Vec::new()),
                [only] => Ok(vec![Nic { network_id: only.id.clone(), ..Nic::default() }]),
                _ => Err(Error::conflict(
                    "More than one possible network found. Specify network ID(s) to select which one(s) to \
                     connect to.",
                )),
            }
        }
    }
}

fn check_many(list: &[Requested], max_count: i64) -> Result<()> {
    if max_count <= 1 {
        return Ok(());
    }
    let reason = if list.iter().any(|r| r.port.is_some()) {
        "Unable to launch multiple instances with a single configured port ID. Please launch your instance one by \
         one with different ports."
    } else if list.iter().any(|r| r.fixed_ip.is_some()) {
        "max_count cannot be greater than 1 if an fixed_ip is specified."
    } else {
        return Ok(());
    };
    Err(Error::bad_request(format!("Failed to launch instances: {reason}")))
}

async fn nic(nova: &Nova, ctx: &Ctx, requested: &Requested) -> Result<Nic> {
    if let Some(id) = &requested.port {
        let port = nova.neutron.port(ctx, id).await.map_err(|e| {
            if e.is_not_found() { Error::bad_request(format!("Port id {id} could not be found.")) } else { e }
        })?;
        if !port.device_id.is_empty() {
            return Err(Error::conflict(format!("Port {id} is still in use.")));
        }
        if ctx.project().is_none_or(|project| project.id != port.project_id) {
            return Err(Error::bad_request(format!("Port {id} not usable for a server of another project.")));
        }
        if port.fixed_ips.is_empty() {
            return Err(Error::bad_request(format!("Port {id} requires a FixedIP in order to be used.")));
        }
        return Ok(Nic {
            network_id: port.network_id,
            port_id: Some(id.clone()),
            fixed_ip: None,
            tag: requested.tag.clone(),
        });
    }
    let id = requested.network.clone().unwrap_or_default();
    let network = nova.neutron.network(ctx, &id).await.map_err(|e| {
        if e.is_not_found() { Error::bad_request(format!("Network {id} could not be found.")) } else { e }
    })?;
    if network.external && !network.shared && !ctx.is_admin() {
        return Err(Error::forbidden(format!(
            "It is not allowed to create an interface on external network {id}"
        )));
    }
    Ok(Nic { network_id: id, port_id: None, fixed_ip: requested.fixed_ip, tag: requested.tag.clone() })
}
