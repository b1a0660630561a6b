//! PKCS#11 URIs (RFC 7512): which module, which token, where the PIN is.
//!
//! The parser is strict where a mistake could pick another token or run something: a selector that
//! it does not know, one that is given twice, or a `pin-source` that is not a file is an error.
//! It never runs a command and never shows a PIN.

mod percent;

use std::{
    collections::HashSet,
    ffi::{OsString, c_ulong},
    fmt,
    os::unix::ffi::OsStringExt as _,
    path::PathBuf,
    str::FromStr,
};

use zeroize::Zeroizing;

/// A PKCS#11 URI, as far as it names a module, a token and a PIN.
///
/// `object`, `type` and `id` are taken and ignored: the keys have names of their own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `manufacturer`: the token's manufacturer.
    pub manufacturer: Option<String>,
    /// `model`: the token's model.
    pub model: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `slot-id`: the slot's number. It may change when tokens come and go.
    pub slot_id: Option<c_ulong>,
    /// `slot-description`.
    pub slot_description: Option<String>,
    /// `slot-manufacturer`.
    pub slot_manufacturer: Option<String>,
    /// `module-path`, or what `module-name` stands for.
    pub module: Option<ModuleName>,
    /// `pin-source` or `pin-value`.
    pub pin: Option<UriPin>,
}

/// How a URI names the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleName {
    /// `module-path`: the shared library's file.
    Path(PathBuf),
    /// `module-name`: the library's name without directory and ending, such as `libsofthsm2`.
    Name(String),
}

/// How a URI tells the PIN.
#[derive(Clone, PartialEq, Eq)]
pub enum UriPin {
    /// `pin-source=file:…`: the file's first line.
    File(PathBuf),
    /// `pin-value`: the PIN itself. Others may see it in the process list.
    Value(Zeroizing<String>),
}

/// Why some text is no PKCS#11 URI that can be used. It never holds a PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPkcs11Uri {
    /// It does not begin with `pkcs11:`.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// A part has no `=`.
    #[error("each part has the form name=value; part {0} has not")]
    NoValue(usize),
    /// A character has to be written as %XX.
    #[error("the value of `{0}` has a character that must be written as %XX")]
    Character(String),
    /// A `%` is not followed by two hexadecimal digits.
    #[error("in the value of `{0}`, a % is not followed by two hexadecimal digits")]
    Percent(String),
    /// The bytes are not UTF-8.
    #[error("the value of `{0}` is not UTF-8")]
    NotUtf8(String),
    /// An attribute is there twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// Two attributes say the same in different ways.
    #[error("`{0}` and `{1}` exclude each other: give one of them")]
    Exclusive(&'static str, &'static str),
    /// A selector that RFC 7512 does not have. Ignoring it could pick another token.
    #[error("`{0}` is no attribute that selects a token (RFC 7512 §2.3)")]
    UnknownSelector(String),
    /// `slot-id` is no number.
    #[error("`slot-id` is not a decimal number")]
    SlotId,
    /// `pin-source` names a command.
    #[error("`pin-source` names a command, which is never run: use file:/path")]
    PinCommand,
    /// `pin-source` is something else than a file.
    #[error("`pin-source` is not of the form file:/path")]
    PinSource,
    /// A value is empty where it must not be.
    #[error("the value of `{0}` is empty")]
    Empty(&'static str),
}

impl FromStr for Pkcs11Uri {
    type Err = InvalidPkcs11Uri;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A scheme's letters may be of either case (RFC 3986 §3.1).
        let rest = match text.split_at_checked("pkcs11:".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkcs11:") => rest,
            _ => return Err(InvalidPkcs11Uri::Scheme),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let mut seen = HashSet::new();
        for part in percent::parts(path, ';', "") {
            let (name, value) = part?;
            once(&mut seen, name)?;
            uri.select(name, &value)?;
        }
        for part in percent::parts(query, '&', "/?|") {
            let (name, value) = part?;
            once(&mut seen, name)?;
            uri.query(name, &value)?;
        }
        Ok(uri)
    }
}

fn once<'a>(seen: &mut HashSet<&'a str>, name: &'a str) -> Result<(), InvalidPkcs11Uri> {
    if seen.insert(name) {
        Ok(())
    } else {
        Err(InvalidPkcs11Uri::Twice(name.to_owned()))
    }
}

fn text(name: &str, value: &[u8]) -> Result<Zeroizing<String>, InvalidPkcs11Uri> {
    match std::str::from_utf8(value) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(InvalidPkcs11Uri::NotUtf8(name.to_owned())),
    }
}

impl Pkcs11Uri {
    /// A path attribute (RFC 7512 §2.3).
    fn select(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidPkcs11Uri> {
        let field = match name {
            "token" => &mut self.token,
            "manufacturer" => &mut self.manufacturer,
            "model" => &mut self.model,
            "serial" => &mut self.serial,
            "slot-description" => &mut self.slot_description,
            "slot-manufacturer" => &mut self.slot_manufacturer,
            "slot-id" => {
                let digits = text(name, value)?;
                let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                let number = digits.parse().ok().filter(|_| plain);
                self.slot_id = Some(number.ok_or(InvalidPkcs11Uri::SlotId)?);
                return Ok(());
            }
            "object"
            | "type"
            | "id"
            | "library-manufacturer"
            | "library-description"
            | "library-version" => return Ok(()),
            _ => return Err(InvalidPkcs11Uri::UnknownSelector(name.to_owned())),
        };
        *field = Some(text(name, value)?.to_string());
        Ok(())
    }

    /// A query attribute (RFC 7512 §2.4). One that is not known is for somebody else.
    fn query(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidPkcs11Uri> {
        match name {
            "module-path" | "module-name" if self.module.is_some() => {
                return Err(InvalidPkcs11Uri::Exclusive("module-path", "module-name"));
            }
            "pin-source" | "pin-value" if self.pin.is_some() => {
                return Err(InvalidPkcs11Uri::Exclusive("pin-source", "pin-value"));
            }
            "module-path" if value.is_empty() => {
                return Err(InvalidPkcs11Uri::Empty("module-path"));
            }
            "module-path" => self.module = Some(ModuleName::Path(path(value))),
            "module-name" => {
                let name = text(name, value)?.to_string();
                if name.is_empty() || name.contains('/') {
                    return Err(InvalidPkcs11Uri::Empty("module-name"));
                }
                self.module = Some(ModuleName::Name(name));
            }
            "pin-source" if value.first() == Some(&b'|') => {
                return Err(InvalidPkcs11Uri::PinCommand);
            }
            "pin-source" => self.pin = Some(UriPin::File(file_uri(value)?)),
            "pin-value" => self.pin = Some(UriPin::Value(text(name, value)?)),
            _ => {}
        }
        Ok(())
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// The path of `file:/path` or `file:///path` (RFC 8089 §2).
fn file_uri(value: &[u8]) -> Result<PathBuf, InvalidPkcs11Uri> {
    let rest = value
        .strip_prefix(b"file:")
        .ok_or(InvalidPkcs11Uri::PinSource)?;
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    match rest {
        [b'/', first, ..] if *first != b'/' => Ok(path(rest)),
        _ => Err(InvalidPkcs11Uri::PinSource),
    }
}

/// As a URI again, without the PIN.
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pkcs11:")?;
        let slot_id = self.slot_id.map(|id| id.to_string());
        let selectors = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("slot-id", &slot_id),
            ("slot-description", &self.slot_description),
            ("slot-manufacturer", &self.slot_manufacturer),
        ];
        let mut separator = "";
        for (name, value) in selectors {
            if let Some(value) = value {
                write!(
                    f,
                    "{separator}{name}={}",
                    percent::Encoded(value.as_bytes(), "")
                )?;
                separator = ";";
            }
        }
        match &self.module {
            Some(ModuleName::Path(path)) => {
                let bytes = path.as_os_str().as_encoded_bytes();
                write!(f, "?module-path={}", percent::Encoded(bytes, "/"))
            }
            Some(ModuleName::Name(name)) => {
                write!(f, "?module-name={}", percent::Encoded(name.as_bytes(), ""))
            }
            None => Ok(()),
        }
    }
}

/// As [`Display`](fmt::Display): without the PIN.
impl fmt::Debug for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Uri({self})")
    }
}

impl fmt::Debug for UriPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}
