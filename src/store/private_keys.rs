//! The keys of private digests: made here, kept among the store's facts, readable by its owner alone.

use super::{ReadTx, StoreError, WriteTx};
use crate::model::{DigestName, PrivateKey, Timestamp};
use rusqlite::{OptionalExtension, params};

impl ReadTx<'_> {
    /// The key of a private digest; `None` when it never was one.
    pub fn private_key(&self, digest: &DigestName) -> Result<Option<PrivateKey>, StoreError> {
        let sql = "SELECT value FROM facts WHERE name = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let text: Option<String> = statement.query_row([fact_name(digest)], |row| row.get(0)).optional()?;
        let read = |text: String| {
            let detail = || format!("no key for digest `{}`; `veille digests rotate` makes a new one", digest.0);
            PrivateKey::from_text(&text)
                .ok_or_else(|| StoreError::Content { column: "a private key", detail: detail() })
        };
        text.map(read).transpose()
    }
}

impl WriteTx<'_> {
    /// Gives each of these digests a key that has none yet. A key outlives its digest's time in the
    /// config: one that is taken out and put back keeps its addresses.
    pub fn give_private_keys(&self, digests: &[DigestName]) -> Result<(), StoreError> {
        let sql = "INSERT INTO facts (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        let mut insert = self.connection.prepare_cached(sql)?;
        for digest in digests {
            insert.execute(params![fact_name(digest), random_key()?.reveal()])?;
        }
        Ok(())
    }

    /// Gives a digest another key: its old addresses are nobody's from now on.
    pub fn rotate_private_key(&self, digest: &DigestName, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO facts (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.connection.prepare_cached(sql)?.execute(params![fact_name(digest), random_key()?.reveal()])?;
        // Its documents hold their own addresses, so what was rendered before is no longer right.
        self.digest_changed(digest, now);
        Ok(())
    }
}

fn fact_name(digest: &DigestName) -> String {
    format!("private_key {}", digest.0)
}

/// 160 bits of the system's.
pub(super) fn random_key() -> Result<PrivateKey, StoreError> {
    let mut bytes = [0; PrivateKey::BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Other(format!("the system gives no random bytes for a private key: {error}")))?;
    Ok(PrivateKey::from_bytes(bytes))
}
