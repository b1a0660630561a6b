//! `fetch`: get a URL over a connection that is bound where the server agrees.

use std::{fmt::Write as _, path::Path, sync::Arc};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};
use serde::Serialize;
use tokenbinding::negotiation::Offer;
use tokenbinding_https::{
    RequestUri,
    client::{self, Client, ConnectionInfo, Connector, Error, FollowRedirects, SentBinding},
};

use super::open;
use crate::{
    args::{Fetch, Global, TlsVersion},
    failure::Failure,
    output,
};

/// The largest body of a JSON document, in bytes.
const MAX_JSON_BODY: usize = 16 << 20;

pub(super) fn run(global: Global, command: &Fetch) -> Result<(), Failure> {
    let request = request(command)?;
    let context = context(command)?;
    let quiet = global.quiet;
    let binder = Arc::new(open(global, [&command.url])?);
    let key_types = match &*command.key_type {
        [] => binder.backend()?.key_types().to_vec(),
        given => given.to_vec(),
    };
    let offer = Offer::new(&key_types).map_err(|error| Failure::Operation(error.to_string()))?;
    let connector = Connector::with_context(binder, offer, context)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Operation(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let client = FollowRedirects::new(Client::new(connector));
        let response = client.request(request).await?;
        let status = response.status();
        if !quiet {
            tell(command, &response);
        }
        if command.json {
            output::json(&document(command, response).await?)?;
        } else {
            show(command, response).await?;
        }
        if status.as_u16() >= 400 {
            return Err(Failure::Operation(format!("the server answered {status}")));
        }
        Ok(())
    })
}

fn request(command: &Fetch) -> Result<Request<Empty<Bytes>>, Failure> {
    let uri = command.url.parse::<Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some("https"));
    let wrong = || Failure::Usage(format!("{:?} is no https URL", command.url));
    let uri = uri.ok_or_else(wrong)?;
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    for given in &command.headers {
        // The value may be a secret: it is not repeated.
        let header = given.split_once(':').and_then(|(name, value)| {
            let name = name.trim().parse::<HeaderName>().ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, mut value)) = header else {
            let wrong = "a header is not of the form 'Name: value'";
            return Err(Failure::Usage(wrong.to_owned()));
        };
        value.set_sensitive(true);
        request.headers_mut().append(name, value);
    }
    client::check(&request)?;
    Ok(request)
}

fn context(command: &Fetch) -> Result<SslConnectorBuilder, Failure> {
    let mut context = SslConnector::builder(SslMethod::tls_client()).map_err(Error::from)?;
    let version = |version| match version {
        TlsVersion::Tls12 => SslVersion::TLS1_2,
        TlsVersion::Tls13 => SslVersion::TLS1_3,
    };
    let only = command.tls.map(version);
    let lowest = only.unwrap_or(SslVersion::TLS1_2);
    let alpn: &[u8] = if command.http1 {
        b"\x08http/1.1"
    } else {
        b"\x02h2\x08http/1.1"
    };
    let mut set = || {
        context.set_min_proto_version(Some(lowest))?;
        context.set_max_proto_version(only)?;
        context.set_alpn_protos(alpn)
    };
    set().map_err(Error::from)?;
    if let Some(file) = &command.cacert {
        trust(&mut context, file)?;
    }
    Ok(context)
}

fn trust(context: &mut SslConnectorBuilder, file: &Path) -> Result<(), Failure> {
    let pem = std::fs::read(file).map_err(|error| {
        Failure::Usage(format!(
            "cannot read {file:?}: {error}: name a file that is there"
        ))
    })?;
    let certificates = openssl::x509::X509::stack_from_pem(&pem)
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| Failure::Usage(format!("{file:?} holds no certificate in PEM")))?;
    let mut store = openssl::x509::store::X509StoreBuilder::new().map_err(Error::from)?;
    for certificate in certificates {
        store.add_cert(certificate).map_err(Error::from)?;
    }
    context.set_cert_store(store.build());
    Ok(())
}

/// What was negotiated, who the client is to the server, and how the server answered.
fn tell<B>(command: &Fetch, response: &Response<B>) {
    if let Some(uri) = led_to(command, response) {
        output::tell(&format!("redirected to {uri}"));
    }
    let extensions = response.extensions();
    let (mut tls, mut negotiated) = ("TLS", None);
    if let Some(info) = extensions.get::<Arc<ConnectionInfo>>() {
        (tls, negotiated) = (info.tls_version(), info.negotiated());
    }
    let http = response.version();
    match negotiated {
        Some(negotiated) => output::tell(&format!(
            "Token Binding {} negotiated with {} ({tls}, {http:?})",
            negotiated.version, negotiated.key_type
        )),
        None => output::tell(&format!("Token Binding not negotiated ({tls}, {http:?})")),
    }
    if let Some(Ok(key)) = extensions.get::<SentBinding>().map(SentBinding::key) {
        output::tell(&format!("provided tbh {} id {}", key.id.tbh(), key.id));
    }
    output::tell(&response.status().to_string());
}

/// Where redirects led, if they did.
fn led_to<'a, B>(command: &Fetch, response: &'a Response<B>) -> Option<&'a Uri> {
    let RequestUri(uri) = response.extensions().get::<RequestUri>()?;
    (command.url.parse::<Uri>().ok().as_ref() != Some(uri)).then_some(uri)
}

/// Writes the response as it comes.
async fn show<B>(command: &Fetch, response: Response<B>) -> Result<(), Failure>
where
    B: http_body::Body<Data = Bytes, Error: Into<Error>> + Unpin,
{
    if command.include {
        let mut head = format!("{:?} {}\n", response.version(), response.status());
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            let _ = writeln!(head, "{name}: {value}");
        }
        head.push('\n');
        output::bytes(head.as_bytes())?;
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(Into::into)?.into_data() {
            output::bytes(&data)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct FetchJson {
    url: String,
    status: u16,
    http_version: String,
    tls_version: &'static str,
    resumed: bool,
    token_binding: Option<NegotiatedJson>,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Serialize)]
struct NegotiatedJson {
    version: String,
    key_type: String,
    id: String,
    tbh: String,
}

async fn document<B>(command: &Fetch, response: Response<B>) -> Result<FetchJson, Failure>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
{
    let url = led_to(command, &response).map_or_else(|| command.url.clone(), Uri::to_string);
    let info = response.extensions().get::<Arc<ConnectionInfo>>().cloned();
    let key = response.extensions().get::<SentBinding>();
    let key = key.map(SentBinding::key).transpose()?;
    let negotiated = info.as_ref().and_then(|info| info.negotiated());
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    };
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_JSON_BODY).collect().await;
    let body = body.map_err(|error| {
        Failure::Operation(format!(
            "cannot read the body: {error}: larger bodies come without --json"
        ))
    })?;
    let (body, body_base64) = match String::from_utf8(body.to_bytes().into()) {
        Ok(text) => (Some(text), None),
        Err(binary) => (None, Some(BASE64.encode(binary.as_bytes()))),
    };
    Ok(FetchJson {
        url,
        status: head.status.as_u16(),
        http_version: format!("{:?}", head.version),
        tls_version: info.as_ref().map_or("", |info| info.tls_version()),
        resumed: info.is_some_and(|info| info.is_resumed()),
        token_binding: negotiated.zip(key).map(|(negotiated, key)| NegotiatedJson {
            version: negotiated.version.to_string(),
            key_type: negotiated.key_type.to_string(),
            id: key.id.to_string(),
            tbh: key.id.tbh().to_string(),
        }),
        headers: head.headers.iter().map(header).collect(),
        body,
        body_base64,
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotAbsolute | Error::NotHttps | Error::UserInfo => {
                Self::Usage(error.to_string())
            }
            Error::OtherHost { .. } | Error::CallersHeader { .. } => Self::Usage(error.to_string()),
            Error::Binding(error) => error.into(),
            error => {
                let mut text = error.to_string();
                if text.contains("certificate verify failed") {
                    text += ": name the certificate that you trust with --cacert";
                }
                Self::Operation(text)
            }
        }
    }
}
