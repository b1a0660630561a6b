//! What a reverse proxy tells the server behind it (draft-ietf-tokbind-ttrp).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header::CONNECTION};
use tokenbinding::{VerifiedBindings, ttrp::ForwardedIds};

use super::strip_reserved;

/// Makes a request ready to be forwarded: removes every header by which a client could claim a
/// binding, and adds those of the bindings that [`TokenBindingLayer`](super::TokenBindingLayer)
/// verified.
///
/// `Connection` goes too, with the fields that it lists, as from any request that is forwarded
/// (RFC 9110 §7.6.1): a client could otherwise have the next hop remove what is added here.
///
/// The server behind believes these headers from its proxy alone: nobody else may reach it.
#[allow(clippy::missing_panics_doc, reason = "no id has another character")]
pub fn forward<B>(request: &mut Request<B>) {
    let bindings = request.extensions().get::<Arc<VerifiedBindings>>();
    let ids = bindings.map(|bindings| ForwardedIds::from(&**bindings));
    let headers = request.headers_mut();
    strip_reserved(headers);
    strip_listed(headers);
    for (name, value) in ids.iter().flat_map(ForwardedIds::headers) {
        let value = HeaderValue::try_from(value).expect("hexadecimal, base64url, dots and commas");
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn strip_listed(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in listed {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

#[cfg(test)]
mod tests {
    use tokenbinding::ttrp::SEC_PROVIDED_TOKEN_BINDING_ID;

    use super::*;
    use crate::server::tests::bindings;

    #[test]
    fn the_server_behind_sees_what_was_verified_and_no_claims() {
        for bound in [false, true] {
            let mut request = Request::new(());
            let headers = request.headers_mut();
            for claim in [
                "sec-token-binding",
                "sec_provided_token_binding_id",
                "sec-provided-token-binding-id",
                "sec-other-token-binding-id",
            ] {
                headers.append(claim, HeaderValue::from_static("claimed"));
            }
            let list = "close, X-Hop ,Sec-Provided-Token-Binding-ID";
            headers.insert(CONNECTION, HeaderValue::from_static(list));
            headers.insert("x-hop", HeaderValue::from_static("1"));
            headers.insert("x-end", HeaderValue::from_static("1"));
            let id = bound.then(|| {
                let bindings = bindings(1);
                let id = bindings.provided().unwrap().id().to_string();
                request.extensions_mut().insert(Arc::new(bindings));
                id
            });
            forward(&mut request);
            let mut expected = HeaderMap::new();
            expected.insert("x-end", HeaderValue::from_static("1"));
            if let Some(id) = id {
                expected.insert(SEC_PROVIDED_TOKEN_BINDING_ID, id.parse().unwrap());
            }
            assert_eq!(*request.headers(), expected);
        }
    }
}
