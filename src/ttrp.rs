//! The headers by which a TLS-terminating proxy tells a server behind it what it verified
//! (draft-ietf-tokbind-ttrp).
//!
//! The server believes them from its proxy alone. The proxy therefore removes them from every
//! request that it gets, under each name that a server might fold into theirs ([`is_reserved`]).

use data_encoding::BASE64URL_NOPAD;

use crate::{
    TokenBindingId, TokenBindingType, VerifiedBindings,
    header::SEC_TOKEN_BINDING,
    message::{MAX_BINDINGS, ParseError},
};

/// `Sec-Provided-Token-Binding-ID`: base64url of the provided binding's id.
pub const SEC_PROVIDED_TOKEN_BINDING_ID: &str = "sec-provided-token-binding-id";
/// `Sec-Referred-Token-Binding-ID`: base64url of the referred binding's id.
pub const SEC_REFERRED_TOKEN_BINDING_ID: &str = "sec-referred-token-binding-id";
/// `Sec-Other-Token-Binding-ID`: `type.id` of each other binding, the type in hexadecimal without
/// leading zeros, joined by commas.
pub const SEC_OTHER_TOKEN_BINDING_ID: &str = "sec-other-token-binding-id";

/// Whether a request from outside may not carry a header of this name beyond the proxy:
/// `Sec-Token-Binding` and the three of this module, with `-` and `_` and upper and lower case
/// taken for the same, as CGI and WSGI do.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let same = |byte: u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    [
        SEC_TOKEN_BINDING,
        SEC_PROVIDED_TOKEN_BINDING_ID,
        SEC_REFERRED_TOKEN_BINDING_ID,
        SEC_OTHER_TOKEN_BINDING_ID,
    ]
    .iter()
    .any(|reserved| name.bytes().map(same).eq(reserved.bytes()))
}

/// The ids of a request's bindings, as the three headers carry them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardedIds {
    /// The provided binding's.
    pub provided: Option<TokenBindingId>,
    /// The referred binding's.
    pub referred: Option<TokenBindingId>,
    /// Those of other types.
    pub others: Vec<(u8, TokenBindingId)>,
}

impl From<&VerifiedBindings> for ForwardedIds {
    fn from(bindings: &VerifiedBindings) -> Self {
        let id = |binding: &crate::VerifiedBinding| binding.id().clone();
        let other = |binding: &crate::VerifiedBinding| match binding.binding_type() {
            TokenBindingType::Other(octet) => Some((octet, id(binding))),
            _ => None,
        };
        Self {
            provided: bindings.provided().map(id),
            referred: bindings.referred().map(id),
            others: bindings.iter().filter_map(other).collect(),
        }
    }
}

impl ForwardedIds {
    /// The headers to add to the request, by their names.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        let id = |id: &TokenBindingId| id.to_string();
        headers.extend(
            (self.provided.as_ref()).map(|provided| (SEC_PROVIDED_TOKEN_BINDING_ID, id(provided))),
        );
        headers.extend(
            (self.referred.as_ref()).map(|referred| (SEC_REFERRED_TOKEN_BINDING_ID, id(referred))),
        );
        if !self.others.is_empty() {
            let element = |(octet, id): &(u8, TokenBindingId)| format!("{octet:x}.{id}");
            let others: Vec<String> = self.others.iter().map(element).collect();
            headers.push((SEC_OTHER_TOKEN_BINDING_ID, others.join(",")));
        }
        headers
    }

    /// Reads the headers behind the proxy; `None` stands for a header that is not there.
    ///
    /// # Errors
    /// [`InvalidForwardedId`].
    pub fn from_headers(
        provided: Option<&str>,
        referred: Option<&str>,
        others: Option<&str>,
    ) -> Result<Self, InvalidForwardedId> {
        Ok(Self {
            provided: provided.map(read_id).transpose()?,
            referred: referred.map(read_id).transpose()?,
            others: others.map(read_others).transpose()?.unwrap_or_default(),
        })
    }
}

fn read_others(list: &str) -> Result<Vec<(u8, TokenBindingId)>, InvalidForwardedId> {
    if list.split(',').count() > MAX_BINDINGS {
        return Err(InvalidForwardedId::TooMany);
    }
    list.split(',').map(read_other).collect()
}

fn read_other(element: &str) -> Result<(u8, TokenBindingId), InvalidForwardedId> {
    let (octet, id) = element
        .trim_matches([' ', '\t'])
        .split_once('.')
        .ok_or(InvalidForwardedId::Type)?;
    let canonical = octet.len() <= 2
        && !octet.starts_with('0')
        && octet.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = u8::from_str_radix(octet, 16)
        .ok()
        .filter(|octet| canonical && *octet > TokenBindingType::Referred.octet())
        .ok_or(InvalidForwardedId::Type)?;
    Ok((octet, read_id(id)?))
}

fn read_id(text: &str) -> Result<TokenBindingId, InvalidForwardedId> {
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| InvalidForwardedId::Base64Url)?;
    Ok(TokenBindingId::parse(&bytes)?)
}

/// Why a header is none of this module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForwardedId {
    /// An id is not base64url without padding.
    #[error("the id is not base64url without padding")]
    Base64Url,
    /// An id is none.
    #[error("the id is malformed: {0}")]
    Id(#[from] ParseError),
    /// An element of the list of others does not start with a type and a dot.
    #[error("each element is a type from 2 to ff in hexadecimal, a dot and an id")]
    Type,
    /// The list of others is longer than any message.
    #[error("more than {MAX_BINDINGS} ids")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The draft's author's own example, with types 77 and 11.
    const PROVIDED: &str = "AgBBQA35hcCjI5GEHLLAZ0i2l2ZvQe-bSPAP7jovkZJM4wYHgmmXNd1aRpnQmXK9gh\
                            UmrdtS6p_e2uSlMXIVKOIwgys";
    const OTHERS: &str = "4d.AgBBQEevBm3SEMqx6pKKyRdLHpGCb3_IldN6GxsW2lm6gBCXrbGMaawenNzMeSgxwRm\
                          Y7BW3hVuV3nPxGsV9B8N0Zic,b.AgBBQIOq3qbrcHLxvWW-E36f06xBOGguibMqkyJxJkb\
                          BHXrqOmWFuSOsWwfN02rMsUUSEJP2zSletxuk4exmelFKSaE";

    #[test]
    fn the_headers_are_those_of_the_drafts_example() {
        let ids = ForwardedIds::from_headers(Some(PROVIDED), None, Some(OTHERS)).unwrap();
        assert_eq!(ids.others[0].0, 77);
        assert_eq!(ids.others[1].0, 11);
        let headers = ids.headers();
        assert_eq!(
            headers,
            [
                (SEC_PROVIDED_TOKEN_BINDING_ID, PROVIDED.to_owned()),
                (SEC_OTHER_TOKEN_BINDING_ID, OTHERS.to_owned()),
            ]
        );
    }

    #[test]
    fn malformed_headers_are_refused() {
        for provided in ["", "AA", "AgBBQA==", &PROVIDED[1..]] {
            assert!(ForwardedIds::from_headers(Some(provided), None, None).is_err());
        }
        for octet in ["", "0", "1", "04d", "100", "+4", "4g"] {
            let list = format!("{octet}.{PROVIDED}");
            let result = ForwardedIds::from_headers(None, None, Some(&list));
            assert_eq!(result, Err(InvalidForwardedId::Type), "{octet:?}");
        }
    }

    #[test]
    fn names_are_folded_as_proxies_fold_them() {
        for name in [
            "Sec-Token-Binding",
            "SEC_TOKEN_BINDING",
            "sec_provided-Token_binding-id",
            "Sec-Referred-Token-Binding-ID",
            "sec-other-token-binding-id",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "Sec-Token-Bindings",
            "Token-Binding",
            "",
            "sec token binding",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
