//! Columns to values and back.

use super::StoreError;
use crate::model::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row};
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn optional_millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(millis)
}

/// Instants that jiff cannot hold (year -9999 to 9999) were never written by us; they read as the nearest one.
pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

pub(super) fn instant_at(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(instant)
}

pub(super) fn optional_instant_at(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(instant))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values have a JSON form")
}

pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Content { column, detail: error.to_string() })
}

/// Rows that one statement writes where there are many: to begin and end a statement, open its cursors and advance
/// AUTOINCREMENT's counter costs a third of what writing a row does.
const ROWS_A_STATEMENT: usize = 32;

/// Writes rows in their order by a statement that `sql` makes of the places of the values, `(?,?),(?,?)`. After each
/// statement `wrote` learns of which rows it was and how many of them it changed: all at once where there are many,
/// each by itself else.
pub(super) fn write_rows<R, const COLUMNS: usize>(
    connection: &Connection,
    sql: impl Fn(&str) -> String,
    rows: &[R],
    values: impl Fn(&R) -> [ToSqlOutput<'_>; COLUMNS],
    mut wrote: impl FnMut(&[R], usize),
) -> Result<(), StoreError> {
    let mut write = |rows_a_statement: usize, rows: &[R]| -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let places = vec![format!("({})", ["?"; COLUMNS].join(",")); rows_a_statement].join(",");
        let mut statement = connection.prepare_cached(&sql(&places))?;
        for rows in rows.chunks(rows_a_statement) {
            for (value, index) in rows.iter().flat_map(&values).zip(1..) {
                statement.raw_bind_parameter(index, value)?;
            }
            wrote(rows, statement.raw_execute()?);
        }
        Ok(())
    };
    let (many, rest) = rows.split_at(rows.len() - rows.len() % ROWS_A_STATEMENT);
    write(ROWS_A_STATEMENT, many)?;
    write(1, rest)
}

/// Counts of rows, which SQLite keeps signed.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Collects rows, stopping at the first failure.
pub(super) fn collect<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> Result<Vec<T>, StoreError> {
    rows.collect::<rusqlite::Result<Vec<T>>>().map_err(StoreError::from)
}
