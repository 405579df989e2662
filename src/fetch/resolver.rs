//! DNS for the client: the system's resolver, with every answer passed through the address guard.
//!
//! The connector dials exactly what is returned here, so a name cannot be public when it is checked
//! and private a moment later.

use super::address::{AddressPolicy, Refusal, is_localhost};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Look-ups at a time. Each holds a thread of the blocking pool while a silent server is waited for.
const LOOKUPS_MAX: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    policy: Arc<AddressPolicy>,
    lookups: Arc<Semaphore>,
}

/// Why a name led to no address that may be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{0}")]
    Refused(Refusal),
    #[error("the name `{name}` could not be looked up: {reason}")]
    Lookup { name: String, reason: String },
}

impl GuardedResolver {
    pub(super) fn new(policy: AddressPolicy) -> Self {
        Self { policy: Arc::new(policy), lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    async fn lookup(self, name: String) -> Result<Vec<SocketAddr>, ResolveError> {
        let failed = |reason: String| ResolveError::Lookup { name: name.clone(), reason };
        let permit = self.lookups.acquire_owned().await.map_err(|error| failed(error.to_string()))?;
        // The hosts file of a system knows `localhost`, not `localhost.`.
        let question = if is_localhost(&name) { name.trim_end_matches('.').to_owned() } else { name.clone() };
        // The permit lives in the closure: a look-up that nobody waits for any more still holds its thread.
        let answer = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            (question.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>)
        });
        let addresses =
            answer.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        permitted(&self.policy, addresses).map_err(|refusal| match refusal {
            Some(refusal) => ResolveError::Refused(refusal),
            None => failed("it has no address".to_owned()),
        })
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.clone().lookup(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(lookup.await?.into_iter()) as Addrs) })
    }
}

/// The addresses that pass; if none does, the first refusal.
fn permitted(policy: &AddressPolicy, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Option<Refusal>> {
    let mut first_refusal = None;
    let permitted: Vec<_> = addresses
        .into_iter()
        .filter(|address| match policy.check(address.ip()) {
            Ok(()) => true,
            Err(refusal) => {
                first_refusal.get_or_insert(refusal);
                false
            }
        })
        .collect();
    if permitted.is_empty() { Err(first_refusal) } else { Ok(permitted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h04_of_a_public_and_a_private_address_only_the_public_one_is_left() {
        let public: SocketAddr = "93.184.215.14:0".parse().unwrap();
        let private: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let policy = AddressPolicy::default();
        assert_eq!(permitted(&policy, vec![private, public]), Ok(vec![public]));
        assert!(matches!(permitted(&policy, vec![private]), Err(Some(Refusal::Address { .. }))));
        assert_eq!(permitted(&policy, Vec::new()), Err(None));
    }
}
