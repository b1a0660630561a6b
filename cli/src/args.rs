//! The command line.

#![allow(clippy::doc_markdown, reason = "doc comments are help texts here")]

mod https;

use std::{fmt, ops::Deref, path::PathBuf};

use clap::{
    ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
    value_parser,
};
use tokenbinding::{Config, KeyChoice, KeyType, Policy, Profile, ProviderChoice};
use zeroize::Zeroizing;

#[cfg(feature = "https")]
pub(crate) use self::https::TlsVersion;
pub(crate) use self::https::{Fetch, Serve};

/// Token Binding (RFC 8471, 8472, 8473) with keys that live in hardware.
#[derive(Debug, Parser)]
#[command(
    name = "tokenbinding",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  tokenbinding generate https://example.com/ --ekm random --format json
      Sign an EKM with the key of example.com; the key is made at first use.
  tokenbinding verify AIkAAgBB… --ekm 7c05…
      Say whether a header is good for a connection, and whose it is.
  tokenbinding inspect AIkAAgBB…
      Draw a message field by field.
  tokenbinding keys list
      Show which keys there are."
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// An argument that may hold a secret: an EKM, or a URI with its PIN. It is wiped and never shown.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Options of every command. Each goes over the configuration.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Who holds the keys.
    #[arg(long, global = true, value_name = "PROVIDER", value_parser = provider())]
    pub(crate) provider: Option<ProviderChoice>,
    /// How the TPM is reached, as tpm2-tools spells it: device:/dev/tpmrm0.
    #[arg(long, global = true, value_name = "TCTI")]
    pub(crate) tcti: Option<String>,
    /// Which PKCS#11 token of which module, by RFC 7512.
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) pkcs11_uri: Option<Secret>,
    /// A file with the PIN or passphrase, readable by its owner alone.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// The folder of the key map and the software keystore.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Whose keys; "ephemeral" for keys that are gone when the command ends.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,
    /// A configuration file in place of the one that TOKENBINDING_CONFIG names.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say more on standard error; twice and thrice for still more.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

impl Global {
    /// The configuration with these options over it.
    pub(crate) fn config(self) -> Result<Config, tokenbinding::config::ConfigError> {
        let config = match self.config {
            Some(file) => Config::load_with(Some(file))?,
            None => Config::load()?,
        };
        let mut options = Config {
            provider: self.provider,
            store: self.store,
            profile: self.profile,
            pin_file: self.pin_file,
            ..Config::default()
        };
        options.tpm.tcti = self.tcti;
        options.pkcs11.uri = self.pkcs11_uri.map(|Secret(uri)| uri);
        Ok(config.overlaid_with(options))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign an EKM with the key of a target, and print the message.
    #[command(after_help = "\
Examples:
  tokenbinding generate https://example.com/ --ekm @ekm.bin
      The EKM of a connection, 32 raw bytes or 64 digits in a file.
  tokenbinding generate https://idp.example/ --referred https://rp.example/ --ekm -
      A message for idp.example that also proves the key used at rp.example.
  tokenbinding generate https://example.com/ --ekm random --format json
      Try it out; the EKM is part of the document.

The EKM is what the TLS connection exports under EXPORTER-Token-Binding, 32
bytes, without context. Who learns it can bind the connection to his own key:
prefer @FILE or - where others can see the command line.")]
    Generate(Generate),
    /// Check a message against the EKM of its connection.
    #[command(after_help = "\
Examples:
  tokenbinding verify AIkAAgBB… --ekm 7c05…
  tokenbinding verify - --ekm @ekm.bin --key-type rsa2048_pss --json < header.txt

Exit status: 0 for a valid message, 1 for an invalid one.")]
    Verify(Verify),
    /// Draw a message field by field, without checking its signatures.
    #[command(after_help = "\
Examples:
  tokenbinding inspect AIkAAgBB…
  tokenbinding generate https://example.com/ --ekm random | tokenbinding inspect -")]
    Inspect(Inspect),
    /// Print the TokenBindingID of a target and its hash.
    #[command(after_help = "\
Examples:
  tokenbinding id https://example.com/
      The id of the ecdsap256 key, which is made if there is none.
  tokenbinding id https://example.com/ --key-type any-existing --json
      The id of whatever key there is; none is made.

The hash is the `tbh` that a token's `cnf` claim holds: SHA-256 of the id.")]
    Id(Id),
    /// Look after the keys.
    #[command(
        subcommand,
        after_help = "\
Examples:
  tokenbinding keys list --json
  tokenbinding keys delete https://example.com/
      The key never comes back; the target gets a new one when it needs one.
  tokenbinding keys delete --all
  tokenbinding keys prune
      Remove what is left of keys that their device has lost."
    )]
    Keys(Keys),
    /// Say of each provider whether it can be used, and what to do about it.
    #[command(after_help = "\
Examples:
  tokenbinding providers
  tokenbinding providers --json --pkcs11-uri 'pkcs11:token=work?module-path=/usr/lib/…'")]
    Providers {
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Measure what this machine's device does: bare signatures against whole bindings.
    #[command(after_help = "\
Examples:
  tokenbinding bench
  tokenbinding --provider tpm bench --key-type rsa2048_pss --json

The keys are ephemeral: nothing is left on the device. Both are measured in
turn, so that a change of the machine's speed meets both.")]
    Bench(Bench),
    /// Get an https URL over a connection that is bound where the server agrees.
    #[command(after_help = "\
Examples:
  tokenbinding fetch https://127.0.0.1:8443/ --cacert cert.pem
      What was negotiated is told on standard error, the body is on standard output.
  tokenbinding --provider tpm fetch https://127.0.0.1:8443/login -i --cacert cert.pem
  tokenbinding fetch https://www.example.com/ --tls 1.2 --http1 --json

Redirects to https URLs are followed, with the referred binding where the server
asks for it. Exit status: 0 for a response below 400, 1 for others and failures.")]
    Fetch(Fetch),
    /// Serve HTTPS and say what each client has proven: for trying things out.
    #[command(after_help = "\
Examples:
  tokenbinding serve --write-cert cert.pem
  tokenbinding serve --cert cert.pem --key key.pem --listen '[::]:8443'

  /         what was verified of the request, in JSON
  /login    gives a cookie that is bound to the client's key
  /account  wants that cookie, from the client that it was given to
  /refer    with --refer-to: leads to the other server, which sees both bindings

The address is printed on standard output when the server is ready. Ctrl-C ends
it.")]
    Serve(Serve),
    /// Print a completion script.
    #[command(after_help = "\
Examples:
  tokenbinding completions bash > ~/.local/share/bash-completion/completions/tokenbinding
  tokenbinding completions zsh > ~/.zfunc/_tokenbinding
  tokenbinding completions fish > ~/.config/fish/completions/tokenbinding.fish")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Generate {
    /// A URL, a host name, or any other string.
    pub(crate) target: String,
    /// The EKM: 64 hexadecimal digits, random, @FILE, or - for standard input.
    #[arg(long, value_name = "EKM", allow_hyphen_values = true)]
    pub(crate) ekm: Secret,
    /// The type of the key.
    #[arg(long, value_name = "TYPE", value_parser = key_choice(), default_value = DEFAULT_KEY_TYPE)]
    pub(crate) key_type: KeyChoice,
    /// Another target whose key is proven too, with whatever type it has.
    #[arg(long, value_name = "TARGET2")]
    pub(crate) referred: Option<String>,
    /// How the message is printed.
    #[arg(long, value_enum, default_value_t = Format::Header)]
    pub(crate) format: Format,
}

/// How a message is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The value of Sec-Token-Binding: base64url.
    Header,
    /// Hexadecimal digits.
    Hex,
    /// The bytes themselves.
    Raw,
    /// A JSON document that tells about the keys as well.
    Json,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Verify {
    /// The value of the header, or - for standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) header: String,
    /// The EKM of the connection: 64 hexadecimal digits or @FILE.
    #[arg(long, value_name = "EKM")]
    pub(crate) ekm: Secret,
    /// The key parameters that the connection negotiated.
    #[arg(long, value_name = "TYPE", value_parser = key_type(), default_value = DEFAULT_KEY_TYPE)]
    pub(crate) key_type: KeyType,
    /// What a message must hold.
    #[arg(long, value_name = "POLICY", value_parser = policy(), default_value = "default")]
    pub(crate) policy: Policy,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Inspect {
    /// The value of the header, or - for standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) header: String,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Id {
    /// A URL, a host name, or any other string.
    pub(crate) target: String,
    /// The type of the key.
    #[arg(long, value_name = "TYPE", value_parser = key_choice(), default_value = DEFAULT_KEY_TYPE)]
    pub(crate) key_type: KeyChoice,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Bench {
    /// The type of the key.
    #[arg(long, value_name = "TYPE", value_parser = key_type(), default_value = DEFAULT_KEY_TYPE)]
    pub(crate) key_type: KeyType,
    /// How many signatures of each.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Print a JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show every key of the profile.
    List {
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Show the keys of one target.
    Show {
        /// A URL, a host name, or any other string.
        target: String,
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Delete the keys of a target, of every type, for good.
    Delete {
        /// A URL, a host name, or any other string.
        #[arg(required_unless_present = "all")]
        target: Option<String>,
        /// Delete every key of the profile.
        #[arg(long, conflicts_with = "target")]
        all: bool,
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Remove what is left of keys that their device has lost.
    Prune {
        /// Forget every key of this device instead, which is gone for good: `keys list --json`
        /// shows its id.
        #[arg(long, value_name = "ID")]
        device: Option<String>,
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

const DEFAULT_KEY_TYPE: &str = "ecdsap256";
const ANY_EXISTING: &str = "any-existing";

/// A parser for names that have each one value; the names show up in help and completions.
fn named<T: Clone + Send + Sync + 'static>(
    values: impl IntoIterator<Item = (&'static str, T)>,
) -> impl clap::builder::TypedValueParser<Value = T> {
    let values: Vec<_> = values.into_iter().collect();
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    PossibleValuesParser::new(names).map(move |given| {
        let (_, value) = values
            .iter()
            .find(|(name, _)| *name == given)
            .expect("the parser takes only these names");
        value.clone()
    })
}

fn provider() -> impl clap::builder::TypedValueParser<Value = ProviderChoice> {
    named(ProviderChoice::ALL.map(|choice| (choice.name(), choice)))
}

fn key_type() -> impl clap::builder::TypedValueParser<Value = KeyType> {
    named(KeyType::ALL.map(|kind| (kind.name(), kind)))
}

fn key_choice() -> impl clap::builder::TypedValueParser<Value = KeyChoice> {
    let types = KeyType::ALL.map(|kind| (kind.name(), KeyChoice::Type(kind)));
    named(
        types
            .into_iter()
            .chain([(ANY_EXISTING, KeyChoice::AnyExisting)]),
    )
}

fn policy() -> impl clap::builder::TypedValueParser<Value = Policy> {
    named([("default", Policy::Default), ("protocol", Policy::Protocol)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_the_command_line_is_shown() {
        let ekm = "f1".repeat(32);
        let uri = "pkcs11:token=x?pin-value=123456";
        for command in [["generate", "a.example"], ["verify", "AA"]] {
            let options = ["--pkcs11-uri", uri, "--ekm", &*ekm];
            let line = ["tokenbinding"].iter().chain(&command).chain(&options);
            let shown = format!("{:?}", Args::try_parse_from(line).unwrap());
            assert!(
                !shown.contains(&ekm) && !shown.contains("123456"),
                "{shown}"
            );
        }
    }
}
