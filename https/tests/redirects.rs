//! Redirects between two sites, with and without the wish for the referred binding.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;
mod support;

use std::sync::Arc;

use tokenbinding::{Binder, KeyType};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_https::{
    RequestUri,
    client::{Error, FollowRedirects, MAX_REDIRECTS},
};

use self::{
    site::{NoBody, Site, Visit, binder, client, get},
    support::P256,
};

/// The relying party and the identity provider have names of different sites, and so different
/// keys.
const CONSUMER: &str = "localhost";
const PROVIDER: &str = "127.0.0.1";

struct Journey {
    binder: Arc<Binder>,
    client: FollowRedirects<NoBody>,
    consumer: Site,
    provider: Site,
}

impl Journey {
    async fn new() -> Self {
        let binder = binder(&FakeDevice::new("1"));
        Self {
            client: FollowRedirects::new(client(&binder)),
            binder,
            consumer: Site::new().await,
            provider: Site::new().await,
        }
    }

    async fn go(&self, path: &str) {
        let response = self
            .client
            .request(get(&self.consumer.url(CONSUMER, path)))
            .await;
        assert_eq!(response.unwrap().status(), 200);
    }

    fn provider(&self, path: &str) -> String {
        self.provider.url(PROVIDER, path)
    }

    fn id(&self, host: &str) -> Option<String> {
        Some(self.binder.id(host, P256).unwrap().id.to_string())
    }

    fn visit(&self, path: &str, host: &str, referred: Option<&str>) -> Visit {
        Visit {
            path: path.to_owned(),
            provided: self.id(host),
            referred: referred.and_then(|host| self.id(host)),
        }
    }
}

#[tokio::test]
async fn a_redirect_that_asks_for_it_shows_the_referrer_to_the_next_server() {
    let journey = Journey::new().await;
    journey
        .go(&format!("/refer/{}", journey.provider("/login")))
        .await;
    let visits = journey.provider.visits();
    assert_eq!(visits, [journey.visit("/login", PROVIDER, Some(CONSUMER))]);
    // The next request to the same server is like any other.
    let next = journey
        .client
        .request(get(&journey.provider("/next")))
        .await;
    assert_eq!(next.unwrap().status(), 200);
    assert_eq!(
        journey.provider.visits()[1],
        journey.visit("/next", PROVIDER, None)
    );
}

#[tokio::test]
async fn a_redirect_that_does_not_ask_shows_nothing() {
    let journey = Journey::new().await;
    journey
        .go(&format!("/to/{}", journey.provider("/login")))
        .await;
    journey
        .go(&format!("/refer-wrongly/{}", journey.provider("/login")))
        .await;
    let alone = journey.visit("/login", PROVIDER, None);
    assert_eq!(journey.provider.visits(), [alone.clone(), alone]);
}

#[tokio::test]
async fn a_further_redirect_drops_the_referrer() {
    let journey = Journey::new().await;
    let home = journey.consumer.url(CONSUMER, "/home");
    let through = journey.provider(&format!("/to/{home}"));
    journey.go(&format!("/refer/{through}")).await;
    let visits = journey.consumer.visits();
    assert_eq!(visits[1], journey.visit("/home", CONSUMER, None));
}

#[tokio::test]
async fn a_redirect_that_asks_again_makes_its_own_server_the_referrer() {
    let journey = Journey::new().await;
    let home = journey.consumer.url(CONSUMER, "/home");
    let through = journey.provider(&format!("/refer/{home}"));
    journey.go(&format!("/refer/{through}")).await;
    let visits = journey.consumer.visits();
    assert_eq!(visits[1], journey.visit("/home", CONSUMER, Some(PROVIDER)));
}

#[tokio::test]
async fn servers_of_one_site_see_one_id_twice() {
    let journey = Journey::new().await;
    journey.go("/refer//home").await;
    let visits = journey.consumer.visits();
    assert_eq!(visits[1], journey.visit("/home", CONSUMER, Some(CONSUMER)));
    assert_eq!(visits[1].provided, visits[1].referred);
}

#[tokio::test]
async fn a_referrer_keeps_the_key_type_that_was_negotiated_with_it() {
    // The provider negotiates with an RSA key, the consumer with P-256.
    let store = tempfile::tempdir().unwrap();
    let config = tokenbinding::Config {
        provider: Some(tokenbinding::ProviderChoice::Software),
        store: Some(store.path().join("keys")),
        ..tokenbinding::Config::default()
    };
    let binder = Arc::new(Binder::open(&config).unwrap());
    let rsa = KeyType::Rsa2048Pss;
    let offer = tokenbinding::negotiation::Offer::new(&[P256, rsa]).unwrap();
    let connector = tokenbinding_https::client::Connector::with_context(
        Arc::clone(&binder),
        offer,
        site::trusting(),
    );
    let client = tokenbinding_https::client::Client::new(connector.unwrap());
    let client = FollowRedirects::<NoBody>::new(client);
    let (consumer, provider) = (Site::with(&[P256]).await, Site::with(&[rsa]).await);
    let to = provider.url(PROVIDER, "/login");
    let start = consumer.url(CONSUMER, &format!("/refer/{to}"));
    assert_eq!(client.request(get(&start)).await.unwrap().status(), 200);
    let id = |host, kind| Some(binder.id(host, kind).unwrap().id.to_string());
    let visits = provider.visits();
    assert_eq!(visits[0].provided, id(PROVIDER, rsa));
    assert_eq!(visits[0].referred, id(CONSUMER, P256));
}

#[tokio::test]
async fn a_redirect_that_leaves_https_is_not_followed() {
    let journey = Journey::new().await;
    let start = journey
        .consumer
        .url(CONSUMER, "/refer/http://127.0.0.1/login");
    let response = journey.client.request(get(&start)).await.unwrap();
    assert_eq!(response.status(), 302);
    let RequestUri(uri) = response.extensions().get::<RequestUri>().unwrap();
    assert_eq!(uri.to_string(), start);
}

#[tokio::test]
async fn redirects_without_end_are_an_error() {
    let journey = Journey::new().await;
    let mut path = "/end".to_owned();
    for _ in 0..=MAX_REDIRECTS {
        path = format!("/to/{path}");
    }
    let start = journey.consumer.url(CONSUMER, &path);
    let refused = journey.client.request(get(&start)).await;
    assert!(
        matches!(refused, Err(Error::TooManyRedirects { .. })),
        "{refused:?}"
    );
    assert_eq!(journey.consumer.visits().len(), MAX_REDIRECTS + 1);
}
