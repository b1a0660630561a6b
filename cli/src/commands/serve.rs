//! `serve`: a server that says what each client has proven, for trying things out.

use std::{io, path::Path, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use openssl::{
    pkey::{PKey, Private},
    ssl::SslAcceptorBuilder,
};
use serde::Serialize;
use tokenbinding::{VerifiedBindings, negotiation::Support};
use tokenbinding_backend::private;
use tokenbinding_https::{
    server::{Acceptor, Bound, BoundTokens, Server, Unbound, include_referred},
    tls,
};
use tokio::{
    net::TcpListener,
    signal::unix::{self, SignalKind},
};
use zeroize::Zeroizing;

use super::BindingJson;
use crate::{args::Serve, failure::Failure, output};

/// The names of a certificate that is made for the occasion.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The most bytes of a private key in PEM.
const MAX_KEY_LEN: usize = 64 * 1024;
/// The cookie of `/login`.
const COOKIE: &str = "session";

pub(super) fn run(command: &Serve) -> Result<(), Failure> {
    let context = context(command)?;
    let site = Arc::new(Site {
        tokens: tokens()?,
        refer_to: refer_to(command)?,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Operation(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(command.listen).await.map_err(|error| {
            let address = command.listen;
            Failure::Operation(format!(
                "cannot listen on {address}: {error}: choose another with --listen"
            ))
        })?;
        let address = listener.local_addr()?;
        let interrupted = interrupted()?;
        // Whoever starts this must know when and where it can be reached.
        output::line(&format!("https://{address}/"))?;
        let acceptor = Acceptor::new(context.build().into_context());
        let unbound = match command.refuse_unbound {
            true => Unbound::Refuse,
            false => Unbound::Serve,
        };
        Server::new(acceptor)
            .with_unbound(unbound)
            .serve(listener, app(site), interrupted)
            .await;
        Ok(())
    })
}

/// Comes with Ctrl-C, or with the signal by which service managers end a process. Both are waited
/// for from the call on.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| {
        unix::signal(kind)
            .map_err(|error| Failure::Operation(format!("cannot listen for Ctrl-C: {error}")))
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    })
}

fn context(command: &Serve) -> Result<SslAcceptorBuilder, Failure> {
    let support = match &*command.key_type {
        [] => Support::default(),
        given => Support::new(given).map_err(|error| Failure::Usage(error.to_string()))?,
    };
    let mut context = Acceptor::builder(support).map_err(openssl)?;
    if let (Some(certificates), Some(key)) = (&command.cert, &command.key) {
        readable(certificates)?;
        readable(key)?;
        let private = private_key(key)?;
        context
            .set_certificate_chain_file(certificates)
            .map_err(|error| unfit(certificates, "a certificate", &error))?;
        context
            .set_private_key(&private)
            .and_then(|()| context.check_private_key())
            .map_err(|error| unfit(key, "the private key of the certificate", &error))?;
    } else {
        let (certificate, key) = tls::self_signed(&NAMES).map_err(openssl)?;
        context.set_certificate(&certificate).map_err(openssl)?;
        context.set_private_key(&key).map_err(openssl)?;
        if let Some(file) = &command.write_cert {
            let pem = certificate.to_pem().map_err(openssl)?;
            private::publish(file, &pem)
                .map_err(|error| Failure::Operation(format!("cannot write {error}")))?;
        }
    }
    Ok(context)
}

/// OpenSSL's own errors do not tell which file is missing.
fn readable(file: &Path) -> Result<(), Failure> {
    let opened: io::Result<_> = std::fs::File::open(file);
    opened.map(drop).map_err(|error| {
        Failure::Usage(format!(
            "cannot read {file:?}: {error}: name a file that is there"
        ))
    })
}

/// The private key in `file`, which nobody else may change; its bytes are wiped.
fn private_key(file: &Path) -> Result<PKey<Private>, Failure> {
    let pem = private::read_trusted(file, MAX_KEY_LEN)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    PKey::private_key_from_pem(&pem)
        .map_err(|error| unfit(file, "the private key of the certificate", &error))
}

fn unfit(file: &Path, what: &str, error: &openssl::error::ErrorStack) -> Failure {
    Failure::Usage(format!("{file:?} does not hold {what} in PEM: {error}"))
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "map_err hands over the value"
)]
fn openssl(error: openssl::error::ErrorStack) -> Failure {
    Failure::Operation(format!("OpenSSL does not take the settings: {error}"))
}

fn tokens() -> Result<BoundTokens, Failure> {
    let mut secret = Zeroizing::new([0; BoundTokens::SECRET_LEN]);
    getrandom::fill(&mut *secret)
        .map_err(|error| Failure::Operation(format!("the system gives no randomness: {error}")))?;
    Ok(BoundTokens::new(secret))
}

fn refer_to(command: &Serve) -> Result<Option<HeaderValue>, Failure> {
    let Some(url) = &command.refer_to else {
        return Ok(None);
    };
    let value = match url.parse::<Uri>() {
        Ok(uri) if uri.scheme_str() == Some("https") => HeaderValue::from_str(url).ok(),
        _ => None,
    };
    let wrong = || Failure::Usage(format!("{url:?} is no https URL"));
    value.ok_or_else(wrong).map(Some)
}

struct Site {
    tokens: BoundTokens,
    refer_to: Option<HeaderValue>,
}

fn app(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/account", get(account))
        .route("/refer", get(refer))
        .with_state(site)
}

#[derive(Serialize)]
struct Verified {
    bound: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    bindings: Vec<BindingJson>,
}

/// What was verified of the request.
async fn home(bound: Option<Bound>) -> Response {
    let hint = "Token Binding was not negotiated: offer the extension in the TLS handshake";
    let json = |bindings: &VerifiedBindings| {
        let each = bindings.iter();
        each.map(|binding| BindingJson::new(binding.binding_type(), binding.id()))
            .collect()
    };
    let document = Verified {
        bound: bound.is_some(),
        hint: bound.is_none().then_some(hint),
        bindings: bound.as_deref().map(json).unwrap_or_default(),
    };
    match serde_json::to_string_pretty(&document) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Gives a cookie that is good for the client's key alone.
async fn login(State(site): State<Arc<Site>>, bound: Bound) -> Response {
    let provided = bound.provided();
    let token = site.tokens.issue(provided, b"visitor");
    let cookie = format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax");
    let text = format!("the cookie is bound to tbh {}\n", provided.tbh());
    ([(header::SET_COOKIE, cookie)], text).into_response()
}

/// Wants the cookie from the client that it was given to.
async fn account(State(site): State<Arc<Site>>, bound: Bound, headers: HeaderMap) -> Response {
    let refused = |reason: &str| (StatusCode::UNAUTHORIZED, format!("{reason}\n")).into_response();
    let Some(token) = cookie(&headers) else {
        return refused("there is no cookie: get one from /login");
    };
    match site.tokens.check(token, &bound) {
        Ok(visitor) => {
            format!("welcome back, {}\n", String::from_utf8_lossy(&visitor)).into_response()
        }
        Err(error) => refused(&error.to_string()),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let fields = headers.get_all(header::COOKIE).iter();
    fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// Leads to the other server and asks for the client's binding with this one to be shown there.
async fn refer(State(site): State<Arc<Site>>) -> Response {
    let Some(location) = site.refer_to.clone() else {
        return (StatusCode::NOT_FOUND, "start with --refer-to URL\n").into_response();
    };
    let mut response = (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    match include_referred(&mut response) {
        Ok(()) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
