//! From a target to the scope that its keys belong to (RFC 8473 §2.1).
//!
//! Targets that name a host share the keys of their site, as they share its cookies; every other
//! string is a scope of its own. The two never meet, whatever the strings are.

use std::{fmt, str::FromStr};

use serde::Deserialize;
use url::{Host, Url};

/// The most UTF-16 units of a target: the longest URL that Windows takes.
pub const MAX_TARGET_LEN: usize = 2083;

/// How far a key reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeRule {
    /// One key for a registrable domain and all below it: eTLD+1 by the public suffix list.
    #[default]
    Site,
    /// One key for each host.
    Host,
    /// One key for each target string, to the letter.
    Exact,
}

/// What a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    kind: ScopeKind,
    name: Box<str>,
}

/// Whether a scope is one of hosts or of a plain string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// A domain or an address.
    Host,
    /// A string that is taken as it is.
    Text,
}

impl ScopeKind {
    /// `host` or `text`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Text => "text",
        }
    }
}

/// Why a string is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// There is nothing.
    #[error("the target is empty: give a URL such as https://example.com/ or a host name")]
    Empty,
    /// It is too long.
    #[error(
        "the target has {length} UTF-16 units and at most {MAX_TARGET_LEN} are taken: give the \
         site without path and query"
    )]
    TooLong {
        /// UTF-16 units.
        length: usize,
    },
    /// It holds a NUL character.
    #[error("the target holds a NUL character: leave it out")]
    Nul,
    /// Its UTF-16 has a surrogate without its other half.
    #[error("the target is ill-formed UTF-16: a surrogate stands alone")]
    IllFormed,
    /// It starts as a URL with a host, and is none.
    #[error("{target:?} is no URL ({cause}): give one such as https://example.com/")]
    Url {
        /// The target.
        target: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl Scope {
    /// The scope of a target: an http, https, ws or wss URL, a host name, an IP address, or any
    /// other string.
    ///
    /// # Errors
    /// [`InvalidTarget`].
    pub fn of(target: &str, rule: ScopeRule) -> Result<Self, InvalidTarget> {
        if target.is_empty() {
            return Err(InvalidTarget::Empty);
        }
        if target.contains('\0') {
            return Err(InvalidTarget::Nul);
        }
        // Bytes are never fewer than UTF-16 units, and cheaper to count.
        if target.len() > MAX_TARGET_LEN {
            let length = target.encode_utf16().count();
            if length > MAX_TARGET_LEN {
                return Err(InvalidTarget::TooLong { length });
            }
        }
        let host = host_of(target)?;
        Ok(match (rule, host) {
            (ScopeRule::Exact, _) | (_, None) => Self::text(target),
            (ScopeRule::Host, Some(host)) => Self::host(&host.to_string()),
            (ScopeRule::Site, Some(Host::Domain(domain))) => Self::host(site(&domain)),
            (ScopeRule::Site, Some(address)) => Self::host(&address.to_string()),
        })
    }

    /// The scope of a target in UTF-16, as Windows programs write it.
    ///
    /// # Errors
    /// [`InvalidTarget`].
    pub fn of_utf16(target: &[u16], rule: ScopeRule) -> Result<Self, InvalidTarget> {
        let target = String::from_utf16(target).map_err(|_| InvalidTarget::IllFormed)?;
        Self::of(&target, rule)
    }

    fn host(name: &str) -> Self {
        Self {
            kind: ScopeKind::Host,
            name: name.into(),
        }
    }

    pub(crate) fn text(name: &str) -> Self {
        Self {
            kind: ScopeKind::Text,
            name: name.into(),
        }
    }

    /// Whether it is one of hosts or of a plain string.
    #[must_use]
    pub const fn kind(&self) -> ScopeKind {
        self.kind
    }

    /// The domain, address or string.
    #[must_use]
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// The spelling that keys are stored under: `host:` or `text:`, then the name.
    #[must_use]
    pub fn canonical(&self) -> String {
        format!("{}:{}", self.kind.name(), self.name)
    }
}

/// Reads [`Scope::canonical`] again.
impl FromStr for Scope {
    type Err = InvalidTarget;

    fn from_str(canonical: &str) -> Result<Self, Self::Err> {
        match canonical.split_once(':') {
            Some((_, "")) => Err(InvalidTarget::Empty),
            Some(("host", name)) => Ok(Self::host(name)),
            Some(("text", name)) => Ok(Self::text(name)),
            _ => Err(InvalidTarget::Empty),
        }
    }
}

/// The name, with characters escaped that are not seen or that change how others are seen.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.chars().try_for_each(|c| match c {
            c if is_unseen(c) => c.escape_default().fmt(f),
            c => fmt::Write::write_char(f, c),
        })
    }
}

/// Control characters, line separators, and those that take no room or turn the direction.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The host that a target names; `None` for a string that names none.
fn host_of(target: &str) -> Result<Option<Host<String>>, InvalidTarget> {
    let Some(rest) = strip_web_scheme(target) else {
        return Ok(bare_host(target));
    };
    let no_url = |cause: &str| InvalidTarget::Url {
        target: target.to_owned(),
        cause: cause.to_owned(),
    };
    // The URL standard skips tabs and line breaks, which would hide what host is meant.
    if target.contains(|c: char| c.is_control() || c == ' ') {
        return Err(no_url("it holds white space or control characters"));
    }
    if !rest.starts_with("//") {
        return Err(no_url("`://` does not follow its scheme"));
    }
    let url = Url::parse(target).map_err(|error| no_url(&error.to_string()))?;
    match url.host() {
        Some(Host::Domain(domain)) => {
            let domain = without_root_dot(domain);
            if domain.split('.').any(str::is_empty) {
                return Err(no_url("a part of its host name is empty"));
            }
            Ok(Some(Host::Domain(domain.to_owned())))
        }
        Some(address) => Ok(Some(address.to_owned())),
        None => Err(no_url("it has no host")),
    }
}

/// What follows the scheme and its colon, if it is one whose URLs have web hosts.
fn strip_web_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.trim_start().split_once(':')?;
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web))
        .then_some(rest)
}

/// A host name or an IP address that stands alone.
fn bare_host(target: &str) -> Option<Host<String>> {
    if let Ok(address) = target.parse() {
        return Some(Host::Ipv6(address));
    }
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || !c.is_ascii();
    let bracketed = target.starts_with('[') && target.ends_with(']');
    if !bracketed && !target.chars().all(sound) {
        return None;
    }
    match Host::parse(target).ok()? {
        Host::Domain(domain) => {
            let domain = without_root_dot(&domain);
            let labels_are_sound = domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
            labels_are_sound.then(|| Host::Domain(domain.to_owned()))
        }
        // The URL standard reads `12345` and `0x7f.1` as addresses too; nobody writes those so.
        Host::Ipv4(address) => (target.parse() == Ok(address)).then_some(Host::Ipv4(address)),
        Host::Ipv6(address) => Some(Host::Ipv6(address)),
    }
}

fn without_root_dot(domain: &str) -> &str {
    domain.strip_suffix('.').unwrap_or(domain)
}

/// The registrable domain, or the domain itself where it has none: a single label or a public
/// suffix.
fn site(domain: &str) -> &str {
    if !domain.contains('.') {
        return domain;
    }
    psl::domain_str(domain).unwrap_or(domain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site_of(target: &str) -> String {
        Scope::of(target, ScopeRule::Site).unwrap().canonical()
    }

    #[test]
    fn targets_of_one_site_have_one_scope() {
        for target in [
            "https://www.example.co.uk/a",
            "http://EXAMPLE.co.uk:8443",
            "example.co.uk.",
            "wss://user:pass@a.b.example.co.uk./x?y#z",
            "WWW.Example.CO.UK",
        ] {
            assert_eq!(site_of(target), "host:example.co.uk", "{target}");
        }
    }

    #[test]
    fn private_suffixes_keep_their_sites_apart() {
        assert_eq!(site_of("https://a.github.io"), "host:a.github.io");
        assert_eq!(site_of("https://x.b.github.io"), "host:b.github.io");
        assert_eq!(site_of("https://github.io"), "host:github.io");
    }

    #[test]
    fn names_without_a_site_are_exact_hosts() {
        for (target, scope) in [
            ("localhost", "host:localhost"),
            ("https://LOCALHOST:8443/", "host:localhost"),
            ("co.uk", "host:co.uk"),
            ("https://192.0.2.7:1/", "host:192.0.2.7"),
            ("192.0.2.7", "host:192.0.2.7"),
            ("https://[2001:DB8::1]:443/", "host:[2001:db8::1]"),
            ("[2001:db8:0::1]", "host:[2001:db8::1]"),
            ("2001:db8::1", "host:[2001:db8::1]"),
        ] {
            assert_eq!(site_of(target), scope, "{target}");
        }
    }

    #[test]
    fn international_names_are_compared_as_a_labels() {
        for target in [
            "https://www.BÜCHER.example/",
            "bücher.example",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(site_of(target), "host:xn--bcher-kva.example", "{target}");
        }
        assert_eq!(
            site_of("https://食狮.公司.cn"),
            "host:xn--85x722f.xn--55qx5d.cn"
        );
    }

    #[test]
    fn any_other_string_is_itself_exactly() {
        for target in [
            "urn:example:app",
            "ftp://example.com/",
            "My App",
            "example.com:8443",
            "example.com/path",
            "-example.com",
            "a..b",
            " example.com",
            "text:x",
            "host:example.com",
            "12345",
            "0x7f.1",
            "192.0.2",
            "192.0.2.007",
        ] {
            assert_eq!(site_of(target), format!("text:{target}"));
        }
    }

    #[test]
    fn the_rules_differ_in_their_reach() {
        let of = |rule| {
            Scope::of("https://a.b.example.com:1/x", rule)
                .unwrap()
                .canonical()
        };
        assert_eq!(of(ScopeRule::Site), "host:example.com");
        assert_eq!(of(ScopeRule::Host), "host:a.b.example.com");
        assert_eq!(of(ScopeRule::Exact), "text:https://a.b.example.com:1/x");
    }

    #[test]
    fn what_is_no_target_is_told() {
        let error = |target: &str| Scope::of(target, ScopeRule::Site).unwrap_err();
        assert_eq!(error(""), InvalidTarget::Empty);
        assert_eq!(error("https://a\0.example"), InvalidTarget::Nul);
        let long = format!("https://example.com/{}", "x".repeat(3000));
        assert_eq!(error(&long), InvalidTarget::TooLong { length: 3020 });
        for bad in [
            "https://",
            "http:example.com",
            "https:/example.com",
            "https://exa mple.com",
            "https://exa\nmple.com/",
            " https://example.com",
            "https://./",
            "https://..co.uk/",
            "https://a..example.com/",
            "https://example.com../",
            "https://[::1",
            "https://a<b/",
            "https://example.com:99999/",
        ] {
            assert!(matches!(error(bad), InvalidTarget::Url { .. }), "{bad:?}");
        }
    }

    #[test]
    fn the_length_is_counted_in_utf16_units() {
        let fits = "😀".repeat(MAX_TARGET_LEN / 2);
        assert!(Scope::of(&fits, ScopeRule::Site).is_ok());
        let length = MAX_TARGET_LEN + 1;
        let over = "😀".repeat(length / 2);
        assert_eq!(
            Scope::of(&over, ScopeRule::Site),
            Err(InvalidTarget::TooLong { length })
        );
    }

    #[test]
    fn utf16_must_be_well_formed() {
        let units: Vec<u16> = "https://bücher.example".encode_utf16().collect();
        let scope = Scope::of_utf16(&units, ScopeRule::Site).unwrap();
        assert_eq!(scope.name(), "xn--bcher-kva.example");
        let lone = [0x61, 0xd800, 0x62];
        assert_eq!(
            Scope::of_utf16(&lone, ScopeRule::Site),
            Err(InvalidTarget::IllFormed)
        );
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let scope = Scope::of("a\u{1b}[31m\u{9b}b\nc", ScopeRule::Site).unwrap();
        assert_eq!(scope.to_string(), "a\\u{1b}[31m\\u{9b}b\\nc");
    }

    #[test]
    fn no_unseen_character_hides_what_a_scope_is() {
        for c in "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{2028}\u{2029}\u{feff}\u{61c}"
            .chars()
        {
            let scope = Scope::of(&format!("bank {c}'s \\"), ScopeRule::Site).unwrap();
            assert_eq!(
                scope.to_string(),
                format!("bank {}'s \\", c.escape_unicode())
            );
        }
    }

    proptest! {
        #[test]
        fn every_scope_is_read_again_and_is_stable(target in "\\PC{1,40}") {
            for rule in [ScopeRule::Site, ScopeRule::Host, ScopeRule::Exact] {
                if let Ok(scope) = Scope::of(&target, rule) {
                    prop_assert_eq!(scope.canonical().parse(), Ok(scope.clone()));
                    if scope.kind() == ScopeKind::Host {
                        let again = Scope::of(scope.name(), rule).unwrap();
                        prop_assert_eq!(again.name(), scope.name());
                    }
                }
            }
        }
    }
}
