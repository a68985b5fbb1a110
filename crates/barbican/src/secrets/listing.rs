//! Which secrets a list shows, and in which order.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Sql, sql_built};
use web::Params;

use super::Secret;
use crate::refs::Slice;

const SORT_KEYS: [(&str, &str); 9] = [
    ("algorithm", "algorithm"),
    ("bit_length", "bit_length"),
    ("created", "created_at"),
    ("expiration", "expiration"),
    ("mode", "mode"),
    ("name", "name"),
    ("secret_type", "secret_type"),
    // All are ACTIVE.
    ("status", "'ACTIVE'"),
    ("updated", "updated_at"),
];

#[derive(Debug, Clone)]
enum Bound {
    Text(String),
    Number(i64),
}

/// Conditions in SQL; values are bound.
#[derive(Debug, Default)]
pub struct Query {
    conditions: Vec<String>,
    values: Vec<Bound>,
    order: String,
}

fn bad() -> Error {
    Error::bad_request("URI provided invalid query string parameters.")
}

impl Query {
    pub fn new(ctx: &Ctx, project: &str, params: &Params) -> Result<Self> {
        let mut query = Query::default();
        if params.get("acl_only").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            query.and(
                "id IN (SELECT of_id FROM secret_acl WHERE users LIKE ?)",
                // A list of ids as JSON text: each stands between its own quotes.
                Bound::Text(format!("%\"{}\"%", ctx.user_id())),
            );
        } else {
            query.and("project_id = ?", Bound::Text(project.into()));
        }
        let said = |key: &str| params.get(key).filter(|text| !text.is_empty());
        for (key, condition) in [
            ("name", "name LIKE ?"),
            ("alg", "algorithm LIKE ?"),
            ("mode", "mode LIKE ?"),
            ("secret_type", "secret_type = ?"),
        ] {
            if let Some(text) = said(key) {
                query.and(condition, Bound::Text(text.into()));
            }
        }
        // What is no number is no filter.
        if let Some(bits) = said("bits").and_then(|text| text.parse::<i64>().ok()).filter(|bits| *bits > 0) {
            query.and("bit_length = ?", Bound::Number(bits));
        }
        for (key, column) in
            [("created", "created_at"), ("updated", "updated_at"), ("expiration", "expiration")]
        {
            if let Some(text) = said(key) {
                query.dates(column, text)?;
            }
        }
        query.and("(expiration IS NULL OR expiration > ?)", Bound::Number(base::time::now()));
        query.order = order(said("sort"))?;
        Ok(query)
    }

    fn and(&mut self, condition: &str, value: Bound) {
        self.values.push(value);
        self.conditions.push(condition.replace('?', &format!("${}", self.values.len())));
    }

    /// `gt:2016-01-01T00:00:00,lte:..`; without a word it is the instant itself.
    fn dates(&mut self, column: &str, text: &str) -> Result<()> {
        let mut seen: Vec<&str> = Vec::new();
        for filter in text.split(',') {
            let (word, operator, at) = ["gte", "gt", "lte", "lt"]
                .into_iter()
                .zip([">=", ">", "<=", "<"])
                .find_map(|(word, operator)| {
                    Some((word, operator, filter.strip_prefix(word)?.strip_prefix(':')?))
                })
                .unwrap_or(("eq", "=", filter));
            // One bound on each side, or the instant alone.
            let side = word.trim_end_matches('e');
            if seen.iter().any(|before| *before == side || *before == "eq" || word == "eq") {
                return Err(bad());
            }
            seen.push(side);
            let at = base::time::parse(at).ok_or_else(bad)?;
            self.and(&format!("{column} {operator} ?"), Bound::Number(at));
        }
        Ok(())
    }

    fn statement(&self, head: &str, tail: &str) -> Sql<'static> {
        let text = format!("{head} FROM secret WHERE {}{tail}", self.conditions.join(" AND "));
        self.values.iter().fold(sql_built(text), |sql, value| match value {
            Bound::Text(text) => sql.bind(text.clone()),
            Bound::Number(number) => sql.bind(*number),
        })
    }

    /// A page and how many there are in all.
    pub async fn rows(&self, conn: &mut AnyConnection, slice: Slice) -> Result<(Vec<Secret>, i64)> {
        let total = self.statement("SELECT COUNT(*)", "").number(conn).await?;
        let at = self.values.len();
        let tail = format!(" ORDER BY {}created_at, id LIMIT ${} OFFSET ${}", self.order, at + 1, at + 2);
        let page = self.statement("SELECT *", &tail).bind(slice.limit).bind(slice.offset).rows(conn).await?;
        Ok((page, total))
    }
}

fn order(sort: Option<&str>) -> Result<String> {
    let mut order = String::new();
    let mut seen = Vec::new();
    for key in sort.into_iter().flat_map(|text| text.split(',')) {
        let (key, direction) = key.split_once(':').unwrap_or((key, "asc"));
        let direction = match direction {
            "asc" => "ASC",
            "desc" => "DESC",
            _ => return Err(bad()),
        };
        let (_, column) = SORT_KEYS.iter().find(|(name, _)| *name == key).ok_or_else(bad)?;
        if seen.contains(&key) {
            return Err(bad());
        }
        seen.push(key);
        order.push_str(&format!("{column} {direction}, "));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Result<Query> {
        Query::new(&Ctx::internal("test"), "p", &Params::from_pairs(pairs))
    }

    #[test]
    fn dates_have_one_bound_on_each_side() {
        let day = "2020-01-01T00:00:00";
        for (good, count) in [(format!("gt:{day},lt:{day}"), 4), (day.to_owned(), 3)] {
            assert_eq!(query(&[("created", &good)]).unwrap().conditions.len(), count);
        }
        for bad in
            [format!("gt:{day},gte:{day}"), format!("{day},lt:{day}"), format!("lt:{day},{day}"), "x".into()]
        {
            assert!(query(&[("updated", &bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn sort_keys_are_known_and_there_once() {
        assert_eq!(query(&[("sort", "name:desc,created")]).unwrap().order, "name DESC, created_at ASC, ");
        for bad in ["colour", "name:up", "name,name:desc", "name:asc:x"] {
            assert!(query(&[("sort", bad)]).is_err(), "{bad}");
        }
    }
}
