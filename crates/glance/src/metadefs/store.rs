//! SQL of metadata definitions.

use base::{Ctx, Error};
use db::{AnyConnection, Conn, Db, Event, FromRow, Row, Tx, json_text, sql};
use serde_json::Value;

use super::{Namespace, not_found};

impl FromRow for Namespace {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Namespace {
            namespace: row.text("namespace")?,
            display_name: row.opt_text("display_name")?,
            description: row.opt_text("description")?,
            public: row.text("visibility")? == "public",
            protected: row.bool("protected")?,
            owner: row.text("owner")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

/// A property, an object or a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Property,
    Tag,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::Property => "property",
            Kind::Tag => "tag",
        }
    }

    fn event(self, verb: usize) -> &'static str {
        const ALL: [[&str; 3]; 3] = [
            ["metadef_object.create", "metadef_object.update", "metadef_object.delete"],
            ["metadef_property.create", "metadef_property.update", "metadef_property.delete"],
            ["metadef_tag.create", "metadef_tag.update", "metadef_tag.delete"],
        ];
        ALL[self as usize][verb.min(2)]
    }

    fn exists(self, name: &str, namespace: &str) -> Error {
        Error::conflict(match self {
            Kind::Object => format!(
                "A metadata definition object with name={name} already exists in namespace={namespace}."
            ),
            Kind::Property => format!(
                "A metadata definition property with name={name} already exists in namespace={namespace}."
            ),
            Kind::Tag => format!(
                "A metadata tag with name={name} already exists in namespace={namespace}. (Please note that metadata \
                 tag names are case insensitive)."
            ),
        })
    }

    pub fn not_found(self, name: &str, namespace: &str) -> Error {
        Error::not_found(format!(
            "The metadata definition {} with name={name} was not found in namespace={namespace}.",
            self.as_str()
        ))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub namespace: String,
    pub name: String,
    pub body: Value,
    pub created_at: i64,
    pub updated_at: i64,
}

impl FromRow for Item {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Item {
            namespace: row.text("namespace")?,
            name: row.text("name")?,
            body: row.json("body")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

/// A resource type of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub namespace: String,
    pub resource_type: String,
    pub prefix: Option<String>,
    pub properties_target: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl FromRow for Association {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Association {
            namespace: row.text("namespace")?,
            resource_type: row.text("resource_type")?,
            prefix: row.opt_text("prefix")?,
            properties_target: row.opt_text("properties_target")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub async fn namespace(conn: &mut AnyConnection, name: &str) -> db::Result<Option<Namespace>> {
    sql("SELECT * FROM metadef_namespaces WHERE namespace = $1").bind(name.to_owned()).optional(conn).await
}

/// Newest first. `project`: its own and the public ones; None: all.
pub async fn namespaces(conn: &mut Conn, project: Option<&str>) -> db::Result<Vec<Namespace>> {
    sql("SELECT * FROM metadef_namespaces WHERE $1 = '' OR visibility = 'public' OR owner = $1 \
         ORDER BY created_at DESC, namespace DESC")
    .bind(project.unwrap_or_default().to_owned())
    .rows(conn)
    .await
}

/// A namespace with all that a client may send along with it.
pub struct New {
    pub namespace: Namespace,
    pub associations: Vec<Association>,
    pub items: Vec<(Kind, Item)>,
}

pub async fn create(db: &Db, ctx: &Ctx, new: &New) -> base::Result<()> {
    db::write!(db, |tx| create_in(tx, ctx, new).await)
}

pub async fn create_in(tx: &mut Tx, ctx: &Ctx, new: &New) -> base::Result<()> {
    let n = &new.namespace;
    let made = sql(
        "INSERT INTO metadef_namespaces (namespace, display_name, description, visibility, protected, owner, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(n.namespace.clone())
    .bind(n.display_name.clone())
    .bind(n.description.clone())
    .bind(visibility(n))
    .bind(i64::from(n.protected))
    .bind(n.owner.clone())
    .bind(n.created_at)
    .run(tx)
    .await;
    unique(made, || exists(&n.namespace))?;
    for association in &new.associations {
        associate_in(tx, association).await?;
    }
    for (kind, item) in &new.items {
        insert(tx, *kind, item).await?;
    }
    Ok(tx.event(Event::new("glance", "metadef_namespace.create", &n.namespace, &n.owner, ctx)).await?)
}

fn visibility(n: &Namespace) -> &'static str {
    if n.public { "public" } else { "private" }
}

fn exists(name: &str) -> Error {
    Error::conflict(format!("The metadata definition namespace={name} already exists."))
}

fn unique(done: db::Result<u64>, exists: impl FnOnce() -> Error) -> base::Result<u64> {
    match done {
        Err(e) if db::is_unique(&e) => Err(exists()),
        other => Ok(other?),
    }
}

/// `old`: its name until now. What is in it goes along.
pub async fn update(db: &Db, ctx: &Ctx, old: &str, n: &Namespace) -> base::Result<()> {
    db::write!(db, |tx| {
        let done = sql("UPDATE metadef_namespaces SET namespace = $1, display_name = $2, description = $3, visibility = $4, \
             protected = $5, owner = $6, updated_at = $7 WHERE namespace = $8")
            .bind(n.namespace.clone())
            .bind(n.display_name.clone())
            .bind(n.description.clone())
            .bind(visibility(n))
            .bind(i64::from(n.protected))
            .bind(n.owner.clone())
            .bind(n.updated_at)
            .bind(old.to_owned())
            .run(tx)
            .await;
        if unique(done, || exists(&n.namespace))? == 0 {
            return Err(not_found(old));
        }
        Ok(tx.event(Event::new("glance", "metadef_namespace.update", &n.namespace, &n.owner, ctx)).await?)
    })
}

pub async fn delete(db: &Db, ctx: &Ctx, n: &Namespace) -> base::Result<()> {
    db::write!(db, |tx| {
        let gone = sql("DELETE FROM metadef_namespaces WHERE namespace = $1")
            .bind(n.namespace.clone())
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(not_found(&n.namespace));
        }
        Ok(tx.event(Event::new("glance", "metadef_namespace.delete", &n.namespace, &n.owner, ctx)).await?)
    })
}

/// Of one namespace, newest first.
pub async fn items(conn: &mut AnyConnection, kind: Kind, namespace: &str) -> db::Result<Vec<Item>> {
    sql("SELECT * FROM metadef_items WHERE namespace = $1 AND kind = $2 ORDER BY created_at DESC, name DESC")
        .bind(namespace.to_owned())
        .bind(kind.as_str())
        .rows(conn)
        .await
}

/// Tags are told apart without regard to case.
pub async fn item(conn: &mut AnyConnection, kind: Kind, namespace: &str, name: &str) -> base::Result<Item> {
    let found: Option<Item> = sql("SELECT * FROM metadef_items WHERE namespace = $1 AND kind = $2 \
         AND (name = $3 OR (kind = 'tag' AND lower(name) = lower($3)))")
    .bind(namespace.to_owned())
    .bind(kind.as_str())
    .bind(name.to_owned())
    .optional(conn)
    .await?;
    found.ok_or_else(|| kind.not_found(name, namespace))
}

async fn insert(tx: &mut Tx, kind: Kind, item: &Item) -> base::Result<()> {
    if kind == Kind::Tag {
        let taken = sql(
            "SELECT 1 FROM metadef_items WHERE namespace = $1 AND kind = 'tag' AND lower(name) = lower($2)",
        )
        .bind(item.namespace.clone())
        .bind(item.name.clone())
        .exists(tx)
        .await?;
        if taken {
            return Err(kind.exists(&item.name, &item.namespace));
        }
    }
    let done = sql("INSERT INTO metadef_items (kind, namespace, name, body, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5)")
    .bind(kind.as_str())
    .bind(item.namespace.clone())
    .bind(item.name.clone())
    .bind(json_text(&item.body)?)
    .bind(item.created_at)
    .run(tx)
    .await;
    unique(done, || kind.exists(&item.name, &item.namespace)).map(|_| ())
}

pub async fn add(db: &Db, ctx: &Ctx, kind: Kind, items: &[Item], replace: bool) -> base::Result<()> {
    db::write!(db, |tx| {
        for (n, item) in items.iter().enumerate() {
            if replace && n == 0 {
                clear_in(tx, kind, &item.namespace).await?;
            }
            insert(tx, kind, item).await?;
            tx.event(Event::new("glance", kind.event(0), &item.name, &item.namespace, ctx)).await?;
        }
        Ok(())
    })
}

pub async fn change(db: &Db, ctx: &Ctx, kind: Kind, old: &str, item: &Item) -> base::Result<()> {
    db::write!(db, |tx| {
        let done = sql("UPDATE metadef_items SET name = $1, body = $2, updated_at = $3 \
             WHERE namespace = $4 AND kind = $5 AND name = $6")
        .bind(item.name.clone())
        .bind(json_text(&item.body)?)
        .bind(item.updated_at)
        .bind(item.namespace.clone())
        .bind(kind.as_str())
        .bind(old.to_owned())
        .run(tx)
        .await;
        if unique(done, || kind.exists(&item.name, &item.namespace))? == 0 {
            return Err(kind.not_found(old, &item.namespace));
        }
        Ok(tx.event(Event::new("glance", kind.event(1), &item.name, &item.namespace, ctx)).await?)
    })
}

pub async fn remove(db: &Db, ctx: &Ctx, kind: Kind, item: &Item) -> base::Result<()> {
    db::write!(db, |tx| {
        let gone = sql("DELETE FROM metadef_items WHERE namespace = $1 AND kind = $2 AND name = $3")
            .bind(item.namespace.clone())
            .bind(kind.as_str())
            .bind(item.name.clone())
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(kind.not_found(&item.name, &item.namespace));
        }
        Ok(tx.event(Event::new("glance", kind.event(2), &item.name, &item.namespace, ctx)).await?)
    })
}

/// All of a kind.
pub async fn clear(db: &Db, ctx: &Ctx, kind: Kind, namespace: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        clear_in(tx, kind, namespace).await?;
        Ok(tx.event(Event::new("glance", kind.event(2), "", namespace, ctx)).await?)
    })
}

async fn clear_in(tx: &mut Tx, kind: Kind, namespace: &str) -> db::Result<u64> {
    sql("DELETE FROM metadef_items WHERE namespace = $1 AND kind = $2")
        .bind(namespace.to_owned())
        .bind(kind.as_str())
        .run(tx)
        .await
}

/// (name, created at, updated at) of every resource type.
pub async fn resource_types(conn: &mut Conn) -> db::Result<Vec<(String, i64, i64)>> {
    struct Type(String, i64, i64);
    impl FromRow for Type {
        fn from_row(row: &Row<'_>) -> db::Result<Self> {
            Ok(Type(row.text("name")?, row.int("created_at")?, row.int("updated_at")?))
        }
    }
    let rows: Vec<Type> = sql("SELECT * FROM metadef_resource_types ORDER BY name").rows(conn).await?;
    Ok(rows.into_iter().map(|Type(name, created, updated)| (name, created, updated)).collect())
}

/// Of one namespace, or of all of them when it is empty.
pub async fn associations(conn: &mut AnyConnection, namespace: &str) -> db::Result<Vec<Association>> {
    sql("SELECT * FROM metadef_associations WHERE $1 = '' OR namespace = $1 ORDER BY resource_type")
        .bind(namespace.to_owned())
        .rows(conn)
        .await
}

async fn associate_in(tx: &mut Tx, a: &Association) -> base::Result<()> {
    add_type(tx, &a.resource_type, a.created_at).await?;
    let done = sql(
        "INSERT INTO metadef_associations (namespace, resource_type, prefix, properties_target, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(a.namespace.clone())
    .bind(a.resource_type.clone())
    .bind(a.prefix.clone())
    .bind(a.properties_target.clone())
    .bind(a.created_at)
    .run(tx)
    .await;
    let exists = || {
        Error::conflict(format!(
            "The metadata definition resource-type association of resource-type={} to namespace={} already exists.",
            a.resource_type, a.namespace
        ))
    };
    unique(done, exists).map(|_| ())
}

pub async fn add_type(tx: &mut Tx, name: &str, at: i64) -> db::Result<u64> {
    sql("INSERT INTO metadef_resource_types (name, created_at, updated_at) VALUES ($1, $2, $2) \
         ON CONFLICT (name) DO NOTHING")
    .bind(name.to_owned())
    .bind(at)
    .run(tx)
    .await
}

/// A resource type that nobody named before is known from then on.
pub async fn associate(db: &Db, ctx: &Ctx, a: &Association) -> base::Result<()> {
    db::write!(db, |tx| {
        associate_in(tx, a).await?;
        let event = Event::new("glance", "metadef_resource_type.create", &a.resource_type, &a.namespace, ctx);
        Ok(tx.event(event).await?)
    })
}

pub async fn dissociate(db: &Db, ctx: &Ctx, namespace: &str, name: &str) -> base::Result<()> {
    db::write!(db, |tx| {
        let gone = sql("DELETE FROM metadef_associations WHERE namespace = $1 AND resource_type = $2")
            .bind(namespace.to_owned())
            .bind(name.to_owned())
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(Error::not_found(format!("Failed to find resource type {name} to delete")));
        }
        Ok(tx.event(Event::new("glance", "metadef_resource_type.delete", name, namespace, ctx)).await?)
    })
}
