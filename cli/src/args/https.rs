//! The options of `fetch` and `serve`.

#![allow(clippy::doc_markdown, reason = "doc comments are help texts here")]
#![cfg_attr(
    not(feature = "https"),
    allow(dead_code, reason = "both say that they are not built in")
)]

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use tokenbinding::KeyType;

use super::key_type;

#[derive(Debug, ClapArgs)]
pub(crate) struct Fetch {
    /// An https URL.
    pub(crate) url: String,
    /// Trust the certificates in this PEM file, and no others.
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Speak this version of TLS alone.
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) tls: Option<TlsVersion>,
    /// Speak HTTP/1.1, even where the server knows HTTP/2.
    #[arg(long)]
    pub(crate) http1: bool,
    /// Offer this key type alone; more than once for several, the most preferred first.
    #[arg(long, value_name = "TYPE", value_parser = key_type())]
    pub(crate) key_type: Vec<KeyType>,
    /// Send another header, such as 'Cookie: session=…'.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Print the response's status and headers before its body.
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) include: bool,
    /// Print one JSON document with the response and what was negotiated.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersion {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// The server's certificate and those that vouch for it, in PEM; without it, one that is made
    /// for the occasion.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's private key, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Write the certificate that is made to this file, for `fetch --cacert`.
    #[arg(long, value_name = "FILE", conflicts_with = "cert")]
    pub(crate) write_cert: Option<PathBuf>,
    /// Where to listen; port 0 for any that is free.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// Accept this key type alone; more than once for several, the most preferred first.
    #[arg(long, value_name = "TYPE", value_parser = key_type())]
    pub(crate) key_type: Vec<KeyType>,
    /// Answer clients without Token Binding with 403; without this, they are served and told.
    #[arg(long)]
    pub(crate) refuse_unbound: bool,
    /// Make /refer a redirect to this URL that asks for the binding with this server to be shown.
    #[arg(long, value_name = "URL")]
    pub(crate) refer_to: Option<String>,
}
