//! The first rows: enough to log in and to make everything else. Running it again changes nothing but what differs.

use base::{Ctx, Error};
use db::{AnyConnection, Tx, sql};
use secrecy::{ExposeSecret, SecretString};

use crate::assignments::{self, Actor, Assignment, Place};
use crate::catalog::rules::INTERFACES;
use crate::catalog::{self, Endpoint, Region, ServiceEntry};
use crate::projects::{self, Project};
use crate::roles::{self, Role};
use crate::tokens::revocation::{self, Subject};
use crate::users::store::NewPassword;
use crate::users::{self, User};
use crate::{DEFAULT_DOMAIN, Keystone, change, domains};

pub struct Bootstrap {
    pub admin_password: String,
    /// Also make a project `demo` and a user `demo` with this password, who is its member.
    pub demo_password: Option<String>,
    pub region: String,
    /// (service type, service name, url)
    pub endpoints: Vec<(String, String, String)>,
}

/// Each implies the next.
const CHAIN: [&str; 4] = ["admin", "manager", "member", "reader"];

impl Keystone {
    /// The default domain, the usual roles (with Octavia's, which installers of Kubernetes ask for), projects `admin` and
    /// `service`, user `admin` with role `admin` on its project and on the system, and the catalog. The admin's password
    /// and the URLs become the given ones. Answers the ids of the demo user and its project.
    pub async fn bootstrap(&self, wanted: Bootstrap) -> Result<Option<(String, String)>, Error> {
        let ctx = Ctx::internal("bootstrap");
        let password = SecretString::from(wanted.admin_password);
        let known = {
            let mut conn = self.db.read().await?;
            users::store::by_name(&mut conn, DEFAULT_DOMAIN, "admin").await?
        };
        let hash = known.as_ref().and_then(|u| u.password_hash.clone());
        let fits = hash.is_some() && self.passwords.verify(password.expose_secret().into(), hash).await?;
        // Each costs tens of milliseconds on purpose, so they are made at the same time.
        let new_hash = async { if fits { Ok(None) } else { self.passwords.hash(password).await.map(Some) } };
        let demo_hash = async {
            match wanted.demo_password {
                Some(password) => self.passwords.hash(password.into()).await.map(Some),
                None => Ok(None),
            }
        };
        let (new_hash, demo_hash) = tokio::try_join!(new_hash, demo_hash)?;
        let ttl = self.token_ttl;
        change!(self, &ctx, "identity.bootstrap", DEFAULT_DOMAIN, |tx| {
            domain(tx).await?;
            let admin_project = project(tx, "admin", "Bootstrap project for initializing the cloud.").await?;
            project(tx, "service", "The project of the cloud's own services.").await?;
            let admin_role = roles(tx).await?;
            let admin = user(tx, "admin", new_hash.as_deref(), ttl).await?;
            for place in [Place::Project(admin_project), Place::System] {
                let actor = Actor::User(admin.clone());
                let row = Assignment { actor, place, role_id: admin_role.clone(), inherited: false };
                assignments::store::insert(tx, &row).await?;
            }
            region(tx, &wanted.region).await?;
            for (kind, name, url) in &wanted.endpoints {
                endpoints(tx, &wanted.region, kind, name, url).await?;
            }
            match &demo_hash {
                Some(hash) => demo(tx, hash, ttl).await.map(Some),
                None => Ok(None),
            }
        })
    }
}

/// The demo user's id and its project's.
async fn demo(tx: &mut Tx, hash: &str, ttl: i64) -> Result<(String, String), Error> {
    let project = project(tx, "demo", "A project to try things in.").await?;
    let user = user(tx, "demo", Some(hash), ttl).await?;
    for name in ["member", "load-balancer_member"] {
        let (role_id, _) = role(tx, name).await?;
        let (actor, place) = (Actor::User(user.clone()), Place::Project(project.clone()));
        assignments::store::insert(tx, &Assignment { actor, place, role_id, inherited: false }).await?;
    }
    Ok((user, project))
}

async fn domain(tx: &mut Tx) -> Result<(), Error> {
    if domains::store::get(tx, DEFAULT_DOMAIN).await?.is_some() {
        return Ok(());
    }
    let domain = Project {
        id: DEFAULT_DOMAIN.into(),
        name: "Default".into(),
        domain_id: String::new(),
        parent_id: None,
        description: "The default domain".into(),
        enabled: true,
        is_domain: true,
        tags: Vec::new(),
        options: Default::default(),
        extra: Default::default(),
        generation: 0,
    };
    Ok(projects::store::insert(tx, &domain).await?)
}

async fn project(tx: &mut Tx, name: &str, description: &str) -> Result<String, Error> {
    if let Some(found) = projects::store::by_name(tx, DEFAULT_DOMAIN, name).await? {
        return Ok(found.id);
    }
    let project = Project {
        id: base::id::hex(),
        name: name.into(),
        domain_id: DEFAULT_DOMAIN.into(),
        parent_id: Some(DEFAULT_DOMAIN.into()),
        description: description.into(),
        enabled: true,
        is_domain: false,
        tags: Vec::new(),
        options: Default::default(),
        extra: Default::default(),
        generation: 0,
    };
    projects::store::insert(tx, &project).await?;
    Ok(project.id)
}

async fn role(conn: &mut AnyConnection, name: &str) -> Result<(String, bool), Error> {
    let found: Option<String> = sql("SELECT id FROM identity_role WHERE name = $1 AND domain_id = ''")
        .bind(name)
        .optional(conn)
        .await?;
    if let Some(id) = found {
        return Ok((id, false));
    }
    let role = Role {
        id: base::id::hex(),
        name: name.into(),
        domain_id: String::new(),
        description: None,
        options: Default::default(),
        extra: Default::default(),
    };
    roles::store::insert(conn, &role).await?;
    Ok((role.id, true))
}

/// The id of `admin`. An implication that somebody removed stays removed: only a new role gets its own.
async fn roles(tx: &mut Tx) -> Result<String, Error> {
    let mut above: Option<(String, bool)> = None;
    let mut first = String::new();
    for name in CHAIN {
        let this = role(tx, name).await?;
        match &above {
            None => first.clone_from(&this.0),
            Some((prior, new)) if *new || this.1 => roles::store::imply(tx, prior, &this.0).await?,
            Some(_) => {}
        }
        above = Some(this);
    }
    for name in ["service", "load-balancer_member"] {
        role(tx, name).await?;
    }
    Ok(first)
}

async fn user(tx: &mut Tx, name: &str, hash: Option<&str>, ttl: i64) -> Result<String, Error> {
    if let Some(known) = users::store::by_name(tx, DEFAULT_DOMAIN, name).await? {
        if let Some(hash) = hash {
            revocation::revoke(tx, Subject::User(&known.id), ttl).await?;
            users::store::set_password(tx, &known.id, &password(hash)).await?;
        }
        return Ok(known.id);
    }
    let user = User {
        id: base::id::hex(),
        name: name.into(),
        domain_id: DEFAULT_DOMAIN.into(),
        default_project_id: None,
        enabled: true,
        password_hash: None,
        password_changed_at: None,
        password_expires_at: None,
        failed_logins: 0,
        failed_login_at: None,
        options: Default::default(),
        extra: Default::default(),
    };
    users::store::insert(tx, &user).await?;
    if let Some(hash) = hash {
        users::store::set_password(tx, &user.id, &password(hash)).await?;
    }
    Ok(user.id)
}

/// The operator's own: it never ends.
fn password(hash: &str) -> NewPassword {
    NewPassword { hash: Some(hash.to_owned()), expires_at: None, history: 0 }
}

async fn region(tx: &mut Tx, id: &str) -> Result<(), Error> {
    if catalog::store::region(tx, id).await?.is_some() {
        return Ok(());
    }
    let region = Region {
        id: id.into(),
        parent_region_id: None,
        description: String::new(),
        extra: Default::default(),
    };
    Ok(catalog::store::insert_region(tx, &region).await?)
}

async fn endpoints(tx: &mut Tx, region: &str, kind: &str, name: &str, url: &str) -> Result<(), Error> {
    let services = catalog::store::services(tx).await?;
    let service_id = match services.iter().find(|s| s.kind == kind && s.name.as_deref() == Some(name)) {
        Some(service) => service.id.clone(),
        None => {
            let service = ServiceEntry {
                id: base::id::hex(),
                kind: kind.into(),
                enabled: true,
                name: Some(name.into()),
                description: None,
                extra: Default::default(),
            };
            catalog::store::insert_service(tx, &service).await?;
            service.id
        }
    };
    let known = catalog::store::endpoints(tx).await?;
    for interface in INTERFACES {
        let found = known.iter().find(|e| {
            e.service_id == service_id && e.interface == interface && e.region_id.as_deref() == Some(region)
        });
        match found {
            Some(endpoint) if endpoint.url == url => {}
            Some(endpoint) => {
                let moved = Endpoint { url: url.into(), ..endpoint.clone() };
                catalog::store::update_endpoint(tx, &moved).await?;
            }
            None => {
                let endpoint = Endpoint {
                    id: base::id::hex(),
                    service_id: service_id.clone(),
                    region_id: Some(region.into()),
                    interface: interface.into(),
                    url: url.into(),
                    enabled: true,
                    extra: Default::default(),
                };
                catalog::store::insert_endpoint(tx, &endpoint).await?;
            }
        }
    }
    Ok(())
}
