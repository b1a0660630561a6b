//! Tokens, as their modules describe them, and the one that a URI means.

use std::ffi::c_ulong;

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

use crate::{
    PinTries, Pkcs11Uri, TokenName,
    fault::{Fault, Result},
    module::Module,
};

/// What a module says of a token: `CK_TOKEN_INFO` and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The label that its owner gave it.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// What its maker calls it.
    pub model: String,
    /// Its serial number, unique among tokens of one maker where the maker cares.
    pub serial: String,
    /// Version of its hardware, major and minor.
    pub hardware_version: (u8, u8),
    /// Version of its firmware, major and minor.
    pub firmware_version: (u8, u8),
    /// The slot it is in now.
    pub slot: c_ulong,
    /// Whether the slot is hardware (`CKF_HW_SLOT`), as far as the module tells.
    pub hardware: bool,
    /// State of the user's PIN and the like: the `CKF_` flags of `CK_TOKEN_INFO`.
    pub flags: TokenFlags,
}

/// The flags of `CK_TOKEN_INFO` (PKCS#11 v2.40, table "Token Information Flags").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenFlags(CK_FLAGS);

impl TokenFlags {
    const fn has(self, flag: CK_FLAGS) -> bool {
        self.0 & flag != 0
    }

    /// Whether keys need a login.
    #[must_use]
    pub const fn login_required(self) -> bool {
        self.has(CKF_LOGIN_REQUIRED)
    }

    /// Whether the user's PIN has been set.
    #[must_use]
    pub const fn user_pin_initialized(self) -> bool {
        self.has(CKF_USER_PIN_INITIALIZED)
    }

    /// Whether the PIN is entered at the token's or the reader's own pad.
    #[must_use]
    pub const fn protected_authentication_path(self) -> bool {
        self.has(CKF_PROTECTED_AUTHENTICATION_PATH)
    }

    /// Whether the PIN is locked.
    #[must_use]
    pub const fn user_pin_locked(self) -> bool {
        self.has(CKF_USER_PIN_LOCKED)
    }

    /// Whether nothing can be written.
    #[must_use]
    pub const fn write_protected(self) -> bool {
        self.has(CKF_WRITE_PROTECTED)
    }

    /// What the token tells about wrong PINs.
    #[must_use]
    pub const fn pin_tries(self) -> PinTries {
        if self.has(CKF_USER_PIN_FINAL_TRY) {
            PinTries::Final
        } else if self.has(CKF_USER_PIN_COUNT_LOW) {
            PinTries::Low
        } else {
            PinTries::Full
        }
    }
}

impl TokenInfo {
    /// Asks for the token in `slot`.
    pub(crate) fn read(module: &Module, slot: CK_SLOT_ID) -> Result<Self> {
        let token = module.c_get_token_info(slot)?;
        // A module that cannot describe its slot is not worth failing for.
        let slot_flags = module.c_get_slot_info(slot).map_or(0, |info| info.flags);
        Ok(Self {
            label: padded(&token.label),
            manufacturer: padded(&token.manufacturerID),
            model: padded(&token.model),
            serial: padded(&token.serialNumber),
            hardware_version: version(token.hardwareVersion),
            firmware_version: version(token.firmwareVersion),
            slot,
            hardware: slot_flags & CKF_HW_SLOT != 0,
            flags: TokenFlags(token.flags),
        })
    }

    /// Tells this token from every other one, whichever module it is reached through: a URI of its
    /// manufacturer, model, serial and label. The label is part of it because some modules number
    /// every token 0; it cannot change without the keys being erased (`C_InitToken`).
    pub(crate) fn device_id(&self) -> String {
        let uri = Pkcs11Uri {
            token: Some(self.label.clone()),
            manufacturer: Some(self.manufacturer.clone()),
            model: Some(self.model.clone()),
            serial: Some(self.serial.clone()),
            ..Pkcs11Uri::default()
        };
        uri.to_string()
    }

    /// What it is, for people.
    pub(crate) fn display_name(&self) -> String {
        let Self { model, label, .. } = self;
        format!("{model} {label:?}")
    }

    /// What a person is told that it is called.
    pub(crate) fn name(&self) -> TokenName {
        TokenName {
            label: self.label.clone(),
            serial: self.serial.clone(),
        }
    }

    fn is_meant_by(&self, module: &Module, uri: &Pkcs11Uri) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == actual)
        };
        if !is(&uri.token, &self.label)
            || !is(&uri.manufacturer, &self.manufacturer)
            || !is(&uri.model, &self.model)
            || !is(&uri.serial, &self.serial)
            || uri.slot_id.is_some_and(|wanted| wanted != self.slot)
        {
            return false;
        }
        if uri.slot_description.is_none() && uri.slot_manufacturer.is_none() {
            return true;
        }
        module.c_get_slot_info(self.slot).is_ok_and(|slot| {
            is(&uri.slot_description, &padded(&slot.slotDescription))
                && is(&uri.slot_manufacturer, &padded(&slot.manufacturerID))
        })
    }
}

/// Every initialised token that the module sees now, and why one cannot be read.
fn tokens(module: &Module) -> Result<(Vec<TokenInfo>, Option<Fault>)> {
    let mut tokens = Vec::new();
    let mut unreadable = None;
    for slot in module.c_get_slot_list()? {
        // A token that was taken out since, or is none that the module knows, is not ours.
        match TokenInfo::read(module, slot) {
            Ok(token) if token.flags.has(CKF_TOKEN_INITIALIZED) => tokens.push(token),
            Ok(_) => {}
            Err(fault) => unreadable = Some(fault),
        }
    }
    Ok((tokens, unreadable))
}

/// Why there is no one token that a URI means.
#[derive(Debug)]
pub(crate) enum Missing {
    /// None that is there is it.
    None(Fault),
    /// It could be several, or nothing can be said.
    Unclear(Fault),
}

impl Missing {
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::None(fault) | Self::Unclear(fault) => fault,
        }
    }
}

/// The one token that `uri` means.
pub(crate) fn select(module: &Module, uri: &Pkcs11Uri) -> Result<TokenInfo, Missing> {
    let (mut tokens, unreadable) = tokens(module).map_err(Missing::Unclear)?;
    let mut seen = names(&tokens);
    if let Some(fault) = unreadable {
        seen = format!("{seen}, and one that does not answer ({fault})");
    }
    tokens.retain(|token| token.is_meant_by(module, uri));
    match tokens.len() {
        1 => Ok(tokens.swap_remove(0)),
        0 => Err(Missing::None(Fault::new(
            ErrorKind::Unavailable,
            format!("no token is the one of {uri}; there is {seen}"),
        ))),
        _ => Err(Missing::Unclear(Fault::new(
            ErrorKind::Unavailable,
            format!(
                "{uri} could be any of {}: add its serial, or its token label",
                names(&tokens)
            ),
        ))),
    }
}

/// The token `device`, in whichever slot it is now.
pub(crate) fn find_again(module: &Module, device: &str) -> Result<TokenInfo> {
    let (tokens, unreadable) = tokens(module)?;
    let seen = names(&tokens);
    let mut same = tokens
        .into_iter()
        .filter(|token| token.device_id() == device);
    let removed = || {
        let text = format!("the token {device} was taken out; there is {seen}; insert it again");
        Fault::new(ErrorKind::DeviceRemoved, text)
    };
    same.next()
        .ok_or_else(|| unreadable.unwrap_or_else(removed))
}

/// How a message lists tokens.
fn names(tokens: &[TokenInfo]) -> String {
    let names: Vec<String> = tokens.iter().map(TokenInfo::device_id).collect();
    if names.is_empty() {
        "no initialised token".to_owned()
    } else {
        names.join(", ")
    }
}

/// The text of a field that is padded with blanks; some modules end it with zeros.
pub(crate) fn padded(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).trim_end().to_owned()
}

const fn version(version: CK_VERSION) -> (u8, u8) {
    (version.major, version.minor)
}
