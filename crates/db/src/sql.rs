//! One statement: bind, run, read. It is sqlx underneath; here are only the types that both databases share.

use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::{AnyConnection, Encode, Row as _, Type};

use crate::{Error, Result};

/// `db::sql("SELECT .. WHERE id = $1").bind(id)`, then one of `run`, `rows`, `row`, `optional`, `number`.
///
/// The text is a literal or was put together from literals ([`sql_built`]); values are bound, never spliced in.
pub struct Sql<'q>(sqlx::query::Query<'q, Any, AnyArguments>);

pub fn sql(text: &'static str) -> Sql<'static> {
    Sql(sqlx::query(text))
}

/// For lists with optional filters: `text` must be made of literals and `$n` only.
pub fn sql_built(text: String) -> Sql<'static> {
    Sql(sqlx::query(sqlx::AssertSqlSafe(text)))
}

impl<'q> Sql<'q> {
    /// `&str`, `String`, `i64`, `f64`, `Vec<u8>` and `Option`s of them; booleans as `i64::from(b)`.
    pub fn bind<T: 'q + Encode<'q, Any> + Type<Any>>(self, value: T) -> Self {
        Sql(self.0.bind(value))
    }

    /// How many rows were changed. Zero after a compare-and-swap means that somebody was faster.
    pub async fn run(self, conn: &mut AnyConnection) -> Result<u64> {
        Ok(self.0.execute(conn).await?.rows_affected())
    }

    pub async fn rows<T: FromRow>(self, conn: &mut AnyConnection) -> Result<Vec<T>> {
        self.0.fetch_all(conn).await?.into_iter().map(|row| T::from_row(&Row(row))).collect()
    }

    pub async fn optional<T: FromRow>(self, conn: &mut AnyConnection) -> Result<Option<T>> {
        self.0.fetch_optional(conn).await?.map(|row| T::from_row(&Row(row))).transpose()
    }

    /// The first column of the only row, e.g. of a COUNT.
    pub async fn number(self, conn: &mut AnyConnection) -> Result<i64> {
        Ok(self.0.fetch_one(conn).await?.try_get(0)?)
    }

    pub async fn exists(self, conn: &mut AnyConnection) -> Result<bool> {
        Ok(self.0.fetch_optional(conn).await?.is_some())
    }
}

pub struct Row(AnyRow);

impl Row {
    pub fn text(&self, column: &str) -> Result<String> {
        Ok(self.0.try_get(column)?)
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.0.try_get(column)?)
    }

    pub fn int(&self, column: &str) -> Result<i64> {
        Ok(self.0.try_get(column)?)
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.0.try_get(column)?)
    }

    pub fn float(&self, column: &str) -> Result<f64> {
        Ok(self.0.try_get(column)?)
    }

    pub fn bool(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.0.try_get(column)?)
    }

    /// A TEXT column holding JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|source| Error::Json { column: column.into(), source })
    }
}

/// How a row becomes a value; written once per table, next to its SQL.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self>;
}

/// A single TEXT column.
impl FromRow for String {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(row.0.try_get(0)?)
    }
}

/// Two TEXT columns, for maps.
impl FromRow for (String, String) {
    fn from_row(row: &Row) -> Result<Self> {
        Ok((row.0.try_get(0)?, row.0.try_get(1)?))
    }
}

/// The JSON text of a value that cannot fail to be JSON (maps with string keys, lists, numbers).
pub fn json_text<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Json { column: "(bound value)".into(), source })
}
