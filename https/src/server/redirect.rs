//! Asking a client to show its binding to the next server (RFC 8473 §5.3).

use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokenbinding::header::INCLUDE_REFERRED_TOKEN_BINDING_ID;

/// The response is no redirect, so that clients would ignore the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} is no redirect: only a status from 300 to 399 can ask for a referred binding")]
pub struct NotARedirect {
    /// The response's status.
    pub status: StatusCode,
}

/// Marks a redirect to a token provider with `Include-Referred-Token-Binding-ID: true`: the client
/// shows that server the binding that it has with this one, and gets its token bound to it.
///
/// It means something in answer to a bound request alone; clients ignore it otherwise.
///
/// # Errors
/// [`NotARedirect`]; the response is as it was.
pub fn include_referred<B>(response: &mut Response<B>) -> Result<(), NotARedirect> {
    let status = response.status();
    if !status.is_redirection() {
        return Err(NotARedirect { status });
    }
    let name = HeaderName::from_static(INCLUDE_REFERRED_TOKEN_BINDING_ID);
    let headers = response.headers_mut();
    headers.insert(name, HeaderValue::from_static("true"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_marked_once_and_nothing_else_is() {
        let mut response = Response::new(());
        for (status, redirect) in [(200, false), (302, true), (307, true), (400, false)] {
            response.headers_mut().clear();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for _ in 0..2 {
                assert_eq!(include_referred(&mut response).is_ok(), redirect);
            }
            let values = response
                .headers()
                .get_all(INCLUDE_REFERRED_TOKEN_BINDING_ID);
            let values = values.iter().map(HeaderValue::as_bytes);
            assert_eq!(tokenbinding::header::refers(status, true, values), redirect);
        }
    }
}
