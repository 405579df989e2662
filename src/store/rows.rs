//! Columns to values and back.

use super::StoreError;
use crate::model::Timestamp;
use rusqlite::types::{FromSql, ToSqlOutput};
use rusqlite::{Connection, Row, Statement};
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

/// Reads the columns of a row one after another: to find thirty by their names takes longer than to read them.
pub(super) struct InOrder<'r, 's> {
    row: &'r Row<'s>,
    column: usize,
}

impl<'r, 's> InOrder<'r, 's> {
    pub(super) fn of(row: &'r Row<'s>) -> Self {
        Self { row, column: 0 }
    }

    pub(super) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.column += 1;
        self.row.get(self.column - 1)
    }

    pub(super) fn next_instant(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.next::<Option<i64>>()?.map(instant))
    }
}

pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values have a JSON form")
}

pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Content { column, detail: error.to_string() })
}

/// Rows that one statement writes where there are many: a statement has cursors to open, and AUTOINCREMENT's counter to
/// read and advance.
const ROWS_A_STATEMENT: usize = 32;

/// Writes rows in their order `INTO table (columns)`, with what is to be done `ON CONFLICT (…)`. After each statement
/// `wrote` learns of which rows it was and how many of them it changed: of many at once, or of one.
///
/// Many are only inserted. SQLite would copy each page before a statement of many rows that can fail half way, which
/// takes a sixth of the time (measured). `OR IGNORE` cannot; where one of them is in the way, each has its own statement.
pub(super) fn write_rows<R, const COLUMNS: usize>(
    connection: &Connection,
    into: &str,
    on_conflict: &str,
    rows: &[R],
    values: impl Fn(&R) -> [ToSqlOutput<'_>; COLUMNS],
    mut wrote: impl FnMut(&[R], usize),
) -> Result<(), StoreError> {
    let place = format!("({})", ["?"; COLUMNS].join(","));
    let execute = |statement: &mut Statement<'_>, rows: &[R]| {
        for (value, index) in rows.iter().flat_map(&values).zip(1..) {
            statement.raw_bind_parameter(index, value)?;
        }
        statement.raw_execute()
    };
    let (many, rest) = rows.split_at(rows.len() - rows.len() % ROWS_A_STATEMENT);
    let mut one_by_one: Vec<&R> = Vec::new();
    if !many.is_empty() {
        let places = vec![&*place; ROWS_A_STATEMENT].join(",");
        let mut insert = connection.prepare_cached(&format!("INSERT OR IGNORE {into} VALUES {places}"))?;
        for rows in many.chunks(ROWS_A_STATEMENT) {
            let changed = execute(&mut insert, rows)?;
            wrote(rows, changed);
            if changed < rows.len() {
                one_by_one.extend(rows);
            }
        }
    }
    one_by_one.extend(rest);
    let mut write = connection.prepare_cached(&format!("INSERT {into} VALUES {place} {on_conflict}"))?;
    for row in one_by_one.into_iter().map(std::slice::from_ref) {
        wrote(row, execute(&mut write, row)?);
    }
    Ok(())
}

/// Counts of rows, which SQLite keeps signed.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Collects rows, stopping at the first failure.
pub(super) fn collect<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> Result<Vec<T>, StoreError> {
    rows.collect::<rusqlite::Result<Vec<T>>>().map_err(StoreError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(key: &i64) -> [ToSqlOutput<'_>; 2] {
        [(*key).into(), "new".into()]
    }

    struct Written {
        /// Keys and values, in order of sequence.
        stored: Vec<(i64, String)>,
        /// How many rows each statement had, and how many of them it changed.
        told: Vec<(usize, usize)>,
    }

    /// Writes rows `1..=rows` over a table that holds the `held` already.
    fn written(rows: i64, held: &[i64]) -> Written {
        let connection = Connection::open_in_memory().expect("opens");
        let create =
            "CREATE TABLE t (sequence INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER UNIQUE, value TEXT) STRICT";
        connection.execute_batch(create).expect("a table");
        for key in held {
            connection.execute("INSERT INTO t (key, value) VALUES (?1, 'old')", [key]).expect("a row");
        }
        let rows: Vec<i64> = (1..=rows).collect();
        let on_conflict = "ON CONFLICT (key) DO UPDATE SET value = 'met' WHERE value = 'old'";
        let mut told = Vec::new();
        write_rows(&connection, "INTO t (key, value)", on_conflict, &rows, values, |rows, changed| {
            told.push((rows.len(), changed));
        })
        .expect("written");
        let mut statement = connection.prepare("SELECT key, value FROM t ORDER BY sequence").expect("prepared");
        let stored = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        Written { stored: stored.collect::<Result<_, _>>().expect("rows"), told }
    }

    #[test]
    fn many_rows_are_written_in_their_order_and_the_last_ones_by_themselves() {
        let Written { stored, told } = written(66, &[]);
        assert_eq!(stored, (1..=66).map(|key| (key, "new".to_owned())).collect::<Vec<_>>());
        assert_eq!(told, [(32, 32), (32, 32), (1, 1), (1, 1)]);
    }

    #[test]
    fn a_row_that_is_there_is_met_as_by_a_statement_of_its_own() {
        let Written { mut stored, told } = written(64, &[40]);
        assert_eq!(stored.remove(0), (40, "met".to_owned()));
        assert_eq!(stored, (1..=64).filter(|key| *key != 40).map(|key| (key, "new".to_owned())).collect::<Vec<_>>());
        assert_eq!(told[..2], [(32, 32), (32, 31)]);
        assert_eq!(told[2..].iter().filter(|told| **told == (1, 1)).count(), 1, "of the second 32 one is changed yet");
        assert_eq!(told.len(), 34);
    }
}
