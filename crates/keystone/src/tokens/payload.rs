//! What a token carries, in as few bytes as possible: a token must stay below 255 characters, since clients and
//! databases were built for that.
//!
//! ```text
//! version · methods · user · scope · expires (8) · issued (8) · audit ids · application credential · trust ·
//! OAuth access token
//! ```
//! An id of 32 hex digits takes 17 bytes, any other its length and one more.

/// What a token says by itself. Everything else (names, roles, whether it still holds) is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub methods: Methods,
    /// Who logged in: with a trust the trustee, also when the token then speaks for the trustor.
    pub user_id: String,
    pub scope: ScopeId,
    /// Microseconds since the epoch.
    pub expires_at: i64,
    pub issued_at: i64,
    pub audit_id: [u8; 16],
    /// The first token of a chain of rescoped ones.
    pub parent_audit_id: Option<[u8; 16]>,
    pub application_credential_id: Option<String>,
    pub trust_id: Option<String>,
    /// OAuth's.
    pub access_token_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ScopeId {
    Unscoped,
    Project(String),
    Domain(String),
    System,
}

/// How the bearer proved who they are; a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    pub const PASSWORD: Methods = Methods(1);
    pub const TOKEN: Methods = Methods(2);
    pub const APPLICATION_CREDENTIAL: Methods = Methods(4);
    pub const EC2: Methods = Methods(8);
    pub const OAUTH: Methods = Methods(16);
    pub const TOTP: Methods = Methods(32);
    const ALL: u8 = 63;

    pub fn and(self, other: Methods) -> Methods {
        Methods(self.0 | other.0)
    }

    pub fn includes(self, other: Methods) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn names(self) -> Vec<&'static str> {
        [
            (Self::TOKEN, "token"),
            (Self::PASSWORD, "password"),
            (Self::APPLICATION_CREDENTIAL, "application_credential"),
            (Self::EC2, "ec2credential"),
            (Self::OAUTH, "oauth1"),
            (Self::TOTP, "totp"),
        ]
        .into_iter()
        .filter(|(bit, _)| self.0 & bit.0 != 0)
        .map(|(_, name)| name)
        .collect()
    }
}

/// 1 had no trust, 2 no OAuth access token. Such tokens live a day at most, but over an upgrade.
const VERSION: u8 = 3;
/// Length bytes above any real length mark the two special forms.
const PACKED: u8 = 255;
const NONE: u8 = 0;

impl Claims {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.methods.0];
        put_id(&mut out, Some(&self.user_id));
        match &self.scope {
            ScopeId::Unscoped => out.push(0),
            ScopeId::Project(id) => {
                out.push(1);
                put_id(&mut out, Some(id));
            }
            ScopeId::Domain(id) => {
                out.push(2);
                put_id(&mut out, Some(id));
            }
            ScopeId::System => out.push(3),
        }
        out.extend(self.expires_at.to_be_bytes());
        out.extend(self.issued_at.to_be_bytes());
        out.extend(self.audit_id);
        out.push(u8::from(self.parent_audit_id.is_some()));
        out.extend(self.parent_audit_id.iter().flatten());
        put_id(&mut out, self.application_credential_id.as_deref());
        put_id(&mut out, self.trust_id.as_deref());
        put_id(&mut out, self.access_token_id.as_deref());
        out
    }

    /// None for anything that [`Claims::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Option<Claims> {
        let mut input = Input(bytes);
        let version = input.byte()?;
        if !(1..=VERSION).contains(&version) {
            return None;
        }
        let methods = Methods(input.byte()?);
        let user_id = input.id()??;
        let scope = match input.byte()? {
            0 => ScopeId::Unscoped,
            1 => ScopeId::Project(input.id()??),
            2 => ScopeId::Domain(input.id()??),
            3 => ScopeId::System,
            _ => return None,
        };
        let expires_at = i64::from_be_bytes(input.array()?);
        let issued_at = i64::from_be_bytes(input.array()?);
        let audit_id = input.array()?;
        let parent_audit_id = match input.byte()? {
            0 => None,
            1 => Some(input.array()?),
            _ => return None,
        };
        let application_credential_id = input.id()?;
        let trust_id = if version > 1 { input.id()? } else { None };
        let access_token_id = if version > 2 { input.id()? } else { None };
        (input.0.is_empty() && methods.0 & !Methods::ALL == 0).then_some(Claims {
            methods,
            user_id,
            scope,
            expires_at,
            issued_at,
            audit_id,
            parent_audit_id,
            application_credential_id,
            trust_id,
            access_token_id,
        })
    }
}

fn put_id(out: &mut Vec<u8>, id: Option<&str>) {
    let Some(id) = id else { return out.push(NONE) };
    match packed(id) {
        Some(bytes) => {
            out.push(PACKED);
            out.extend(bytes);
        }
        None => {
            // Ids are at most 64 characters; a longer one would not decode, and the token would not verify.
            let bytes = &id.as_bytes()[..id.len().min(64)];
            out.push(bytes.len() as u8);
            out.extend(bytes);
        }
    }
}

/// 32 lowercase hex digits as 16 bytes.
fn packed(id: &str) -> Option<[u8; 16]> {
    if id.len() != 32 || id.bytes().any(|b| b.is_ascii_uppercase() || b == b'+') {
        return None;
    }
    u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Outer None: malformed; inner None: no id.
    fn id(&mut self) -> Option<Option<String>> {
        match self.byte()? {
            NONE => Some(None),
            PACKED => Some(Some(format!("{:032x}", u128::from_be_bytes(self.array()?)))),
            length => {
                let (text, rest) = self.0.split_at_checked(length.into())?;
                self.0 = rest;
                String::from_utf8(text.to_vec()).ok().map(Some)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> impl Strategy<Value = String> {
        prop_oneof!["[0-9a-f]{32}", "[a-zA-Z0-9-]{1,64}"]
    }

    fn claims() -> impl Strategy<Value = Claims> {
        let scope = prop_oneof![
            Just(ScopeId::Unscoped),
            id().prop_map(ScopeId::Project),
            id().prop_map(ScopeId::Domain),
            Just(ScopeId::System)
        ];
        (
            (0u8..32).prop_map(Methods),
            id(),
            scope,
            any::<(i64, i64)>(),
            any::<[u8; 16]>(),
            any::<Option<[u8; 16]>>(),
            proptest::option::of(id()),
            proptest::option::of((id(), id())),
        )
            .prop_map(
                |(methods, user_id, scope, (expires_at, issued_at), audit_id, parent, app, lent)| Claims {
                    methods,
                    user_id,
                    scope,
                    expires_at,
                    issued_at,
                    audit_id,
                    parent_audit_id: parent,
                    application_credential_id: app,
                    trust_id: lent.clone().map(|(trust, _)| trust),
                    access_token_id: lent.map(|(_, access)| access),
                },
            )
    }

    proptest! {
        #[test]
        fn round_trip(claims in claims()) {
            prop_assert_eq!(Claims::decode(&claims.encode()), Some(claims));
        }

        #[test]
        fn never_panics_on_garbage(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Claims::decode(&bytes);
        }
    }

    #[test]
    fn tokens_of_earlier_versions_are_read() {
        let claims = Claims {
            methods: Methods::PASSWORD,
            user_id: base::id::hex(),
            scope: ScopeId::System,
            expires_at: 1,
            issued_at: 2,
            audit_id: [1; 16],
            parent_audit_id: None,
            application_credential_id: None,
            trust_id: None,
            access_token_id: None,
        };
        let mut bytes = claims.encode();
        for version in [2, 1] {
            // The access token's place, then the trust's, which was not there.
            bytes.pop();
            bytes[0] = version;
            assert_eq!(Claims::decode(&bytes).as_ref(), Some(&claims));
        }
    }

    #[test]
    fn the_longest_usual_token_is_short_enough() {
        let id = base::id::hex();
        let claims = Claims {
            methods: Methods::PASSWORD.and(Methods::TOKEN),
            user_id: id.clone(),
            scope: ScopeId::Project(id.clone()),
            expires_at: 1,
            issued_at: 2,
            audit_id: [1; 16],
            parent_audit_id: Some([2; 16]),
            application_credential_id: Some(id),
            trust_id: None,
            access_token_id: None,
        };
        let token = fernet::Fernet::new(&fernet::Fernet::generate_key()).unwrap().encrypt(&claims.encode());
        assert!(token.len() < 255, "{}", token.len());
    }
}
