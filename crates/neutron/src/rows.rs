//! Rows as this service writes and selects them: column lists, compare-and-swap, conditions.

use base::Result;
use db::{AnyConnection, FromRow, Sql, sql_built};

use crate::fault;

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    Text(String),
    Int(i64),
    OptText(Option<String>),
    OptInt(Option<i64>),
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Bind::Text(text.into())
    }
}

impl From<String> for Bind {
    fn from(text: String) -> Self {
        Bind::Text(text)
    }
}

impl From<&String> for Bind {
    fn from(text: &String) -> Self {
        Bind::Text(text.clone())
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Bind::Int(number)
    }
}

impl From<i32> for Bind {
    fn from(number: i32) -> Self {
        Bind::Int(number.into())
    }
}

impl From<bool> for Bind {
    fn from(flag: bool) -> Self {
        Bind::Int(i64::from(flag))
    }
}

impl From<Option<i64>> for Bind {
    fn from(number: Option<i64>) -> Self {
        Bind::OptInt(number)
    }
}

/// A list or map as JSON text.
pub fn json<T: serde::Serialize>(value: &T) -> Bind {
    // Lists and string maps of ours always are JSON; an empty list is what a reader of a broken one would want.
    Bind::Text(db::json_text(value).unwrap_or_else(|_| "[]".into()))
}

fn bind<'q>(sql: Sql<'q>, value: Bind) -> Sql<'q> {
    match value {
        Bind::Text(text) => sql.bind(text),
        Bind::Int(number) => sql.bind(number),
        Bind::OptText(text) => sql.bind(text),
        Bind::OptInt(number) => sql.bind(number),
    }
}

/// All columns of a row but its id, with their values.
pub type Columns = Vec<(&'static str, Bind)>;

pub async fn insert(
    conn: &mut AnyConnection,
    table: &'static str,
    id: &str,
    columns: Columns,
) -> db::Result<()> {
    let mut text = format!("INSERT INTO {table} (id");
    for (name, _) in &columns {
        text.push_str(", ");
        text.push_str(name);
    }
    text.push_str(") VALUES ($1");
    for n in 0..columns.len() {
        text.push_str(&format!(", ${}", n + 2));
    }
    text.push(')');
    let statement = columns.into_iter().fold(sql_built(text).bind(id.to_owned()), |sql, (_, v)| bind(sql, v));
    statement.run(conn).await?;
    Ok(())
}

/// Writes a whole row if its revision is still `seen`.
pub async fn update(
    conn: &mut AnyConnection,
    table: &'static str,
    id: &str,
    seen: i64,
    columns: Columns,
) -> Result<()> {
    let mut text = format!("UPDATE {table} SET ");
    for (n, (name, _)) in columns.iter().enumerate() {
        text.push_str(&format!("{}{name} = ${}", if n == 0 { "" } else { ", " }, n + 3));
    }
    text.push_str(" WHERE id = $1 AND revision = $2");
    let statement = sql_built(text).bind(id.to_owned()).bind(seen);
    let changed = columns.into_iter().fold(statement, |sql, (_, v)| bind(sql, v)).run(conn).await?;
    if changed == 1 { Ok(()) } else { Err(fault::changed_meanwhile(table)) }
}

/// Counts a change of something that belongs to the row as one of the row.
pub async fn touch(conn: &mut AnyConnection, table: &'static str, id: &str) -> db::Result<()> {
    let text = format!("UPDATE {table} SET revision = revision + 1, updated_at = $1 WHERE id = $2");
    sql_built(text).bind(base::time::now()).bind(id.to_owned()).run(conn).await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, table: &'static str, id: &str) -> db::Result<bool> {
    Ok(sql_built(format!("DELETE FROM {table} WHERE id = $1")).bind(id.to_owned()).run(conn).await? > 0)
}

pub async fn find<T: FromRow>(
    conn: &mut AnyConnection,
    table: &'static str,
    id: &str,
) -> db::Result<Option<T>> {
    sql_built(format!("SELECT * FROM {table} WHERE id = $1")).bind(id.to_owned()).optional(conn).await
}

/// Conditions joined by AND. Texts are literals with `?` for values; values are bound, never spliced in.
#[derive(Debug, Clone, Default)]
pub struct Where {
    text: String,
    binds: Vec<Bind>,
}

impl Where {
    pub fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Bind>) -> &mut Self {
        self.text.push_str(if self.text.is_empty() { " WHERE (" } else { " AND (" });
        let mut values = values.into_iter();
        for part in condition.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(head) => {
                    self.text.push_str(head);
                    self.binds.extend(values.next());
                    self.text.push_str(&format!("${}", self.binds.len()));
                }
                None => self.text.push_str(part),
            }
        }
        self.text.push(')');
        self
    }

    /// `column IN (..)`; nothing is in an empty list.
    pub fn among(&mut self, column: &str, values: Vec<Bind>) -> &mut Self {
        if values.is_empty() {
            return self.and("1 = 0", []);
        }
        let marks = vec!["?"; values.len()].join(", ");
        self.and(&format!("{column} IN ({marks})"), values)
    }

    /// `column IN (select WHERE inner)`.
    pub fn and_in(&mut self, column: &str, select: &str, inner: Where) -> &mut Self {
        // The inner placeholders are numbered anew behind those that are there.
        let text = inner.text.split('$').enumerate().fold(String::new(), |text, (n, part)| match n {
            0 => text + part,
            _ => text + "?" + part.trim_start_matches(|c: char| c.is_ascii_digit()),
        });
        self.and(&format!("{column} IN ({select}{text})"), inner.binds)
    }

    pub fn of(column: &str, value: impl Into<Bind>) -> Self {
        let mut condition = Where::default();
        condition.and(&format!("{column} = ?"), [value.into()]);
        condition
    }

    /// `head` is `SELECT .. FROM ..`; what follows the conditions is `tail`.
    pub fn statement(self, head: &str, tail: &str) -> Sql<'static> {
        let text = format!("{head}{}{tail}", self.text);
        self.binds.into_iter().fold(sql_built(text), bind)
    }

    /// Rows in the order they were made, which every list keeps unless it is asked for another.
    pub async fn rows<T: FromRow>(self, conn: &mut AnyConnection, table: &'static str) -> db::Result<Vec<T>> {
        self.statement(&format!("SELECT * FROM {table}"), " ORDER BY created_at, id").rows(conn).await
    }
}

/// Texts as values of an IN list.
pub fn texts<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Vec<Bind> {
    values.into_iter().map(|v| Bind::Text(v.as_ref().to_owned())).collect()
}
