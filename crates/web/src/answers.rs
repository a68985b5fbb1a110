//! Answers of lists, kept until rows change that they were made of.
//!
//! ```text
//! get ─► the bytes of the same question of the same caller, if the proof beside them holds
//!  └─► none: rows ─► JSON, once ─► put with the proof: which rows, and since when they are as they were read
//! ```
//! Why it cannot lie: docs/decisions/0008-lists-are-remembered-by-generation.md.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Ctx, Scope};
use bytes::Bytes;

use crate::Params;

/// One service's answers, each with a proof.
pub struct Answers<P> {
    shelf: Mutex<Shelf<P>>,
    /// Bytes of all of them together.
    capacity: usize,
}

struct Shelf<P> {
    bytes: usize,
    answers: HashMap<String, (P, Bytes)>,
}

impl<P> Answers<P> {
    pub fn new(capacity: usize) -> Self {
        Answers { shelf: Mutex::new(Shelf { bytes: 0, answers: HashMap::new() }), capacity }
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

    pub fn get(&self, key: &str, holds: impl FnOnce(&P) -> bool) -> Option<Bytes> {
        let shelf = self.shelf();
        shelf.answers.get(key).filter(|(proof, _)| holds(proof)).map(|(_, answer)| answer.clone())
    }

    /// `proof`: of the rows as they were before the first of them was read.
    pub fn put(&self, key: String, proof: P, answer: impl Into<Bytes>) -> Bytes {
        let answer = answer.into();
        if answer.len() > self.capacity / 4 {
            return answer;
        }
        let mut shelf = self.shelf();
        if shelf.bytes + answer.len() > self.capacity {
            // Those that do not hold any more are among them; which, is not worth looking for.
            *shelf = Shelf { bytes: 0, answers: HashMap::new() };
        }
        shelf.bytes += answer.len();
        if let Some((_, old)) = shelf.answers.insert(key, (proof, answer.clone())) {
            shelf.bytes -= old.len();
        }
        answer
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<P>> {
        // Nothing that can panic runs under this lock.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(answers: &Answers<u64>, proof: u64, key: &str, size: usize) {
        answers.put(key.into(), proof, vec![0; size]);
    }

    #[test]
    fn an_answer_lives_as_long_as_its_proof_holds() {
        let answers = Answers::new(100);
        put(&answers, 3, "a", 10);
        put(&answers, 4, "b", 10);
        assert!(answers.get("a", |proof| *proof == 3).is_some());
        assert!(
            answers.get("a", |proof| *proof > 3).is_none() && answers.get("b", |proof| *proof > 3).is_some()
        );
        assert!(answers.get("c", |_| true).is_none());
    }

    #[test]
    fn the_shelf_is_bounded() {
        let answers = Answers::new(100);
        put(&answers, 0, "huge", 26);
        assert!(answers.get("huge", |_| true).is_none());
        for n in 0..50 {
            put(&answers, 0, &n.to_string(), 20);
            assert!(answers.shelf().bytes <= 100);
        }
        assert!(answers.get("49", |_| true).is_some());
        put(&answers, 0, "49", 25);
        let shelf = answers.shelf();
        assert_eq!(shelf.bytes, shelf.answers.values().map(|(_, answer)| answer.len()).sum::<usize>());
    }

    #[test]
    fn callers_with_other_rights_have_other_answers() {
        let params = Params::default();
        let key = |ctx: &Ctx| Answers::<u64>::key(ctx, "http://h", &params);
        let system = Ctx::internal("test");
        let mut member = system.clone();
        let mut auth = (*member.auth).clone();
        auth.is_admin = false;
        member.auth = auth.into();
        assert_ne!(key(&system), key(&member));
        assert_ne!(key(&system), Answers::<u64>::key(&system, "http://other", &params));
    }
}
