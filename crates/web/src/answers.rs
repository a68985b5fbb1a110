//! Answers of lists, kept until a row changes.
//!
//! ```text
//! generation ─► get ─► the bytes of the same question of the same caller, if nothing was written since
//!                └─► none: rows ─► JSON, once ─► put under the generation from before the rows were read
//! ```
//! Why it cannot lie: docs/decisions/0008-lists-are-remembered-by-generation.md.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Ctx, Scope};
use bytes::Bytes;

use crate::Params;

/// One service's answers; all are of one generation.
pub struct Answers {
    shelf: Mutex<Shelf>,
    /// Bytes of all of them together.
    capacity: usize,
}

#[derive(Default)]
struct Shelf {
    generation: u64,
    bytes: usize,
    answers: HashMap<String, Bytes>,
}

impl Answers {
    pub fn new(capacity: usize) -> Self {
        Answers { shelf: Mutex::default(), capacity }
    }

    /// What the answer depends on besides rows: who asks (the scope and the roles that views and scopes look at), by
    /// which address (links) and version, and for what.
    pub fn key(ctx: &Ctx, origin: &str, params: &Params) -> String {
        let (kind, scope) = match &ctx.auth.scope {
            Scope::Unscoped => ("unscoped", ""),
            Scope::System => ("system", ""),
            Scope::Domain(domain) => ("domain", domain.id.as_str()),
            Scope::Project(project) => ("project", project.id.as_str()),
        };
        let (path, query) = params.asked();
        let mut key = String::with_capacity(160 + query.len());
        for part in [kind, scope, origin, path, query] {
            key.push_str(part);
            key.push(' ');
        }
        key.push_str(&ctx.microversion.to_string());
        // Implied roles are in a token's list already.
        let roles = ["manager", "member", "reader", "service"];
        for role in
            roles.into_iter().filter(|r| ctx.auth.has_role(r)).chain(ctx.is_admin().then_some("admin"))
        {
            key.push(' ');
            key.push_str(role);
        }
        key
    }

    pub fn get(&self, generation: u64, key: &str) -> Option<Bytes> {
        let shelf = self.shelf();
        if shelf.generation == generation { shelf.answers.get(key).cloned() } else { None }
    }

    /// `generation`: looked at before the first row was read.
    pub fn put(&self, generation: u64, key: String, answer: impl Into<Bytes>) -> Bytes {
        let answer = answer.into();
        let mut shelf = self.shelf();
        if generation < shelf.generation || answer.len() > self.capacity / 4 {
            return answer;
        }
        if generation > shelf.generation || shelf.bytes + answer.len() > self.capacity {
            *shelf = Shelf { generation, ..Shelf::default() };
        }
        shelf.bytes += answer.len();
        if let Some(old) = shelf.answers.insert(key, answer.clone()) {
            shelf.bytes -= old.len();
        }
        answer
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that can panic runs under this lock.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(answers: &Answers, generation: u64, key: &str, size: usize) {
        answers.put(generation, key.into(), vec![0; size]);
    }

    #[test]
    fn an_answer_lives_as_long_as_its_generation() {
        let answers = Answers::new(100);
        put(&answers, 3, "a", 10);
        assert!(answers.get(3, "a").is_some());
        assert!(answers.get(4, "a").is_none() && answers.get(3, "b").is_none());
        // A slow reader's answer from before the change comes too late.
        put(&answers, 4, "b", 10);
        put(&answers, 3, "a", 10);
        assert!(answers.get(4, "a").is_none() && answers.get(4, "b").is_some());
    }

    #[test]
    fn the_shelf_is_bounded() {
        let answers = Answers::new(100);
        put(&answers, 0, "huge", 26);
        assert!(answers.get(0, "huge").is_none());
        for n in 0..50 {
            put(&answers, 0, &n.to_string(), 20);
            assert!(answers.shelf().bytes <= 100);
        }
        assert!(answers.get(0, "49").is_some());
        put(&answers, 0, "49", 25);
        let shelf = answers.shelf();
        assert_eq!(shelf.bytes, shelf.answers.values().map(Bytes::len).sum::<usize>());
    }

    #[test]
    fn callers_with_other_rights_have_other_answers() {
        let params = Params::default();
        let key = |ctx: &Ctx| Answers::key(ctx, "http://h", &params);
        let system = Ctx::internal("test");
        let mut member = system.clone();
        let mut auth = (*member.auth).clone();
        auth.is_admin = false;
        member.auth = auth.into();
        assert_ne!(key(&system), key(&member));
        assert_ne!(key(&system), Answers::key(&system, "http://other", &params));
    }
}
