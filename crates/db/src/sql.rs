//! One statement: bind, run, read.
//!
//! Statements run where they are called and not on a thread of their own: the database is in this process, most take
//! microseconds, and a hop to another thread and back takes longer than that. What takes its time (a commit that waits
//! for the disk, a backup) is moved to such a thread by whoever does it.

use std::borrow::Cow;
use std::cell::Cell;

use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::pool::AnyConnection;
use crate::{Error, Result};

/// `db::sql("SELECT .. WHERE id = $1").bind(id)`, then one of `run`, `rows`, `row`, `optional`, `number`.
///
/// The text is a literal or was put together from literals ([`sql_built`]); values are bound, never spliced in.
pub struct Sql<'q> {
    text: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

/// What can be bound.
#[derive(Debug, Clone)]
pub enum Value<'q> {
    Null,
    Text(Cow<'q, str>),
    Integer(i64),
    Real(f64),
    Bytes(Vec<u8>),
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Value::Text(text.into())
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Value::Text(text.as_str().into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Real(number)
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'q, T: Into<Value<'q>>> From<Option<T>> for Value<'q> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(text: &'q Option<String>) -> Self {
        text.as_ref().into()
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub fn sql(text: &'static str) -> Sql<'static> {
    Sql { text: text.into(), values: Vec::new() }
}

/// For lists with optional filters: `text` must be made of literals and `$n` only.
pub fn sql_built(text: String) -> Sql<'static> {
    Sql { text: text.into(), values: Vec::new() }
}

impl<'q> Sql<'q> {
    /// `&str`, `String`, `i64`, `f64`, `Vec<u8>` and `Option`s of them; booleans as `i64::from(b)`.
    pub fn bind<'v>(self, value: impl Into<Value<'v>>) -> Sql<'v>
    where
        'q: 'v,
    {
        let mut values: Vec<Value<'v>> = self.values;
        values.push(value.into());
        Sql { text: self.text, values }
    }

    /// How many rows were changed. Zero after a compare-and-swap means that somebody was faster.
    pub async fn run(self, conn: &mut AnyConnection) -> Result<u64> {
        conn.note(&self.text);
        let mut statement = conn.sqlite.prepare_cached(&self.in_sqlite())?;
        self.give(&mut statement)?;
        Ok(statement.raw_execute()? as u64)
    }

    pub async fn rows<T: FromRow>(self, conn: &mut AnyConnection) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.each(conn, |row| {
            all.push(T::from_row(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    pub async fn optional<T: FromRow>(self, conn: &mut AnyConnection) -> Result<Option<T>> {
        let mut first = None;
        self.each(conn, |row| {
            first = Some(T::from_row(row)?);
            Ok(false)
        })?;
        Ok(first)
    }

    /// The first column of the only row, e.g. of a COUNT.
    pub async fn number(self, conn: &mut AnyConnection) -> Result<i64> {
        let mut number = None;
        self.each(conn, |row| {
            number = Some(row.row.get(0)?);
            Ok(false)
        })?;
        Ok(number.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }

    pub async fn exists(self, conn: &mut AnyConnection) -> Result<bool> {
        let mut found = false;
        self.each(conn, |_| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }

    /// Calls `take` with row after row until it says false.
    fn each(self, conn: &mut AnyConnection, mut take: impl FnMut(&Row<'_>) -> Result<bool>) -> Result<()> {
        conn.note(&self.text);
        let mut statement = conn.sqlite.prepare_cached(&self.in_sqlite())?;
        self.give(&mut statement)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if !take(&Row { row, next: Cell::new(0) })? {
                break;
            }
        }
        Ok(())
    }

    /// SQLite takes PostgreSQL's `$7` for a name, which is looked for among all others; its own `?7` is a number.
    fn in_sqlite(&self) -> String {
        let mut pieces = self.text.split('$');
        let mut text = String::with_capacity(self.text.len());
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            text.push(if piece.starts_with(|c: char| c.is_ascii_digit()) { '?' } else { '$' });
            text.push_str(piece);
        }
        text
    }

    fn give(&self, statement: &mut rusqlite::CachedStatement<'_>) -> Result<()> {
        if statement.parameter_count() != self.values.len() {
            let error =
                rusqlite::Error::InvalidParameterCount(self.values.len(), statement.parameter_count());
            return Err(error.into());
        }
        for (at, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        Ok(())
    }
}

pub struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
    /// Columns are mostly asked for in the order that they come in, so looking for one begins here.
    next: Cell<usize>,
}

impl Row<'_> {
    fn at(&self, column: &str) -> Result<usize> {
        let names = self.row.as_ref();
        let count = names.column_count();
        let from = self.next.get();
        for at in (from..count).chain(0..from.min(count)) {
            if names.column_name(at)? == column {
                self.next.set(at + 1);
                return Ok(at);
            }
        }
        Err(rusqlite::Error::InvalidColumnName(column.to_owned()).into())
    }

    pub fn text(&self, column: &str) -> Result<String> {
        Ok(self.row.get(self.at(column)?)?)
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.row.get(self.at(column)?)?)
    }

    pub fn int(&self, column: &str) -> Result<i64> {
        Ok(self.row.get(self.at(column)?)?)
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.row.get(self.at(column)?)?)
    }

    pub fn float(&self, column: &str) -> Result<f64> {
        Ok(self.row.get(self.at(column)?)?)
    }

    pub fn bool(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.row.get(self.at(column)?)?)
    }

    /// What a TEXT column says, read in place; None when it says no such thing.
    pub fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>> {
        let text = self.row.get_ref(self.at(column)?)?.as_str().map_err(rusqlite::Error::from)?;
        Ok(text.parse().ok())
    }

    /// A TEXT column holding JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.row.get_ref(self.at(column)?)?.as_str().map_err(rusqlite::Error::from)?;
        serde_json::from_str(text).map_err(|source| Error::Json { column: column.into(), source })
    }
}

/// How a row becomes a value; written once per table, next to its SQL.
pub trait FromRow: Sized {
    fn from_row(row: &Row<'_>) -> Result<Self>;
}

/// A single TEXT column.
impl FromRow for String {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(row.row.get(0)?)
    }
}

/// Two TEXT columns, for maps.
impl FromRow for (String, String) {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok((row.row.get(0)?, row.row.get(1)?))
    }
}

/// The JSON text of a value that cannot fail to be JSON (maps with string keys, lists, numbers).
pub fn json_text<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Json { column: "(bound value)".into(), source })
}
