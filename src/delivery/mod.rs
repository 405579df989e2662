//! Deliveries: what is pushed to webhooks, by mail, to `WebSub` hubs and to the subscribers of our own.
//!
//! [`run`] works off what the store holds waiting; a delivery was noted there by the transaction that made the
//! change. What is said to whom is pure ([`webhook`], [`mail`], [`websub`]) and put together by [`prepare`]; [`verify`]
//! asks subscribers whether they meant to be; how long to wait after a failure is [`retry`]'s. Nothing here decides what
//! is delivered, and no SQL stands here.

mod mail;
mod prepare;
mod retry;
mod run;
mod verify;
mod webhook;
mod websub;

pub use run::{Sent, run, send_due};
