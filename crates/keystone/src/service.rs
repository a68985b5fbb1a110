//! The service itself: its state, how it writes, how it verifies tokens for the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base::{Auth, Error};
use camino::{Utf8Path, Utf8PathBuf};
use db::{Db, Migration};

use crate::application_credentials::rules::permits;
use crate::epoch::Epoch;
use crate::errors::unauthorized;
use crate::keys::KeyRepository;
use crate::passwords::Passwords;
use crate::security::Security;
use crate::snapshot::Snapshot;
use crate::tokens::Standings;
use crate::tokens::cache::Cache;

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "keystone/0001_identity", sql: include_str!("../migrations/0001_identity.sql") },
    Migration { name: "keystone/0002_trusts", sql: include_str!("../migrations/0002_trusts.sql") },
    Migration { name: "keystone/0003_limits", sql: include_str!("../migrations/0003_limits.sql") },
    Migration {
        name: "keystone/0004_catalog_extras",
        sql: include_str!("../migrations/0004_catalog_extras.sql"),
    },
    Migration { name: "keystone/0005_security", sql: include_str!("../migrations/0005_security.sql") },
    Migration { name: "keystone/0006_oauth", sql: include_str!("../migrations/0006_oauth.sql") },
];

/// Where token keys lie in the key directory.
const TOKENS: &str = "tokens";
/// Token keys kept: staged, primary, and one secondary so that tokens outlive a rotation.
const TOKEN_KEYS: usize = 3;
/// Credentials stay encrypted with the key of their time, so that none may be pruned soon.
const CREDENTIAL_KEYS: usize = 1000;

#[derive(Debug, Clone)]
pub struct Config {
    /// Fernet keys; made 0700 when missing.
    pub key_dir: Utf8PathBuf,
    /// How long a token lives.
    pub token_ttl: Duration,
    /// Rules for passwords.
    pub security: Security,
}

pub struct Keystone {
    pub(crate) db: Arc<Db>,
    pub(crate) token_keys: KeyRepository,
    pub(crate) credential_keys: KeyRepository,
    pub(crate) passwords: Passwords,
    pub(crate) security: Security,
    pub(crate) epoch: Epoch,
    pub(crate) cache: Cache,
    pub(crate) snapshot: RwLock<Option<Arc<Snapshot>>>,
    pub(crate) standings: Standings,
    /// Microseconds.
    pub(crate) token_ttl: i64,
    generation: AtomicU64,
}

/// What handlers take.
pub(crate) type Service = web::State<Arc<Keystone>>;

impl Keystone {
    /// Opens the key repositories; the database must have been migrated.
    pub async fn new(db: Arc<Db>, config: Config) -> Result<Arc<Keystone>, Error> {
        config.security.check()?;
        let dir = config.key_dir.clone();
        let open = move || {
            let tokens = KeyRepository::open(&dir.join(TOKENS), TOKEN_KEYS)?;
            Ok::<_, crate::keys::Error>((
                tokens,
                KeyRepository::open(&dir.join("credentials"), CREDENTIAL_KEYS)?,
            ))
        };
        let (token_keys, credential_keys) =
            tokio::task::spawn_blocking(open).await.map_err(Error::internal)??;
        Ok(Arc::new(Keystone {
            db,
            token_keys,
            credential_keys,
            passwords: Passwords::new(),
            security: config.security,
            epoch: Epoch::default(),
            cache: Cache::default(),
            snapshot: RwLock::new(None),
            standings: Standings::default(),
            token_ttl: i64::try_from(config.token_ttl.as_micros()).unwrap_or(i64::MAX / 4),
            generation: AtomicU64::new(0),
        }))
    }

    /// Which state of the identity data is current. Read it before looking anything up that will be cached.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Moves the generation on when dropped: also when a client hangs up right after the commit.
    pub(crate) fn move_on(&self) -> MoveOn<'_> {
        MoveOn(&self.generation)
    }

    /// As the function of that name, without waiting to be noticed.
    pub async fn rotate_token_keys(self: &Arc<Self>) -> Result<(), Error> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.token_keys.rotate()).await.map_err(Error::internal)??;
        Ok(())
    }
}

/// Promotes the staged token key and stages a new one. Tokens survive one rotation. May be done beside running processes:
/// they know the staged key already and take notice within a second.
pub fn rotate_token_keys(key_dir: &Utf8Path) -> Result<(), crate::keys::Error> {
    KeyRepository::open(&key_dir.join(TOKENS), TOKEN_KEYS)?.rotate()
}

/// Would a rotation now end tokens before their time? Then: how long ago the rotation was that the last of them were issued
/// before.
pub fn rotation_comes_early(
    key_dir: &Utf8Path,
    token_ttl: Duration,
) -> Result<Option<Duration>, crate::keys::Error> {
    let ended = KeyRepository::open(&key_dir.join(TOKENS), TOKEN_KEYS)?.oldest_ended(SystemTime::now())?;
    Ok(ended.filter(|ago| *ago < token_ttl))
}

pub(crate) struct MoveOn<'a>(&'a AtomicU64);

impl Drop for MoveOn<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl web::Verify for Keystone {
    async fn verify(&self, token: &str) -> Result<Arc<Auth>, Error> {
        let session = self.session(token).await?;
        if session.access_rules.is_some() {
            return Err(unauthorized()
                .because("the token is for some calls only, and which one this is was not told"));
        }
        Ok(session.auth.clone())
    }

    async fn admit(&self, token: &str, service: &str, method: &str, path: &str) -> Result<Arc<Auth>, Error> {
        let session = self.session(token).await?;
        match &session.access_rules {
            Some(rules) if !permits(rules, service, method, path) => {
                Err(unauthorized().because("the application credential's access rules do not name this call"))
            }
            _ => Ok(session.auth.clone()),
        }
    }
}

/// One transaction with its event: `change!(keystone, &ctx, "user.create", &id, |tx| { ..; Ok(value) })`. Everything
/// cached before it is stale after it. As `db::write!`, the block may run more than once.
macro_rules! change {
    ($keystone:expr, $ctx:expr, $kind:expr, $id:expr, |$tx:ident| $body:expr) => {{
        let _moved = $keystone.move_on();
        let ctx: &base::Ctx = $ctx;
        let id: &str = $id;
        let done: Result<_, base::Error> = db::write!($keystone.db, |$tx| {
            let result: Result<_, base::Error> = async { $body }.await;
            let value = result?;
            let project = ctx.project().map_or("", |p| p.id.as_str());
            $tx.event(db::Event::new("identity", $kind, id, project, ctx)).await?;
            Ok((value, $crate::epoch::Epoch::advance($tx).await?))
        });
        done.map(|(value, number)| {
            $keystone.epoch.made(number);
            value
        })
    }};
}
pub(crate) use change;
