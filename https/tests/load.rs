//! Many connections and many bad headers. `make load` runs it with large counts and prints figures;
//! the numbers come from the environment, and without them are small.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "`make load` shows it")]

mod link;
mod site;
mod support;

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use openssl::ssl::SslSessionCacheMode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_https::{
    client::Client,
    server::{Limits, Server},
};

use self::{
    link::{HTTP1, HTTP2, Link, Serving},
    site::{NoBody, binder, connector, get, only, text},
    support::{P256, VERSIONS},
};

/// A count from the environment.
fn count(variable: &str, otherwise: usize) -> usize {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Lets this process have so many connections, both ends of each.
fn allow_connections(connections: usize) {
    let wanted = 2 * connections as u64 + 256;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let most = maximum.unwrap_or(wanted);
        assert!(
            most >= wanted,
            "`ulimit -Hn` is {most}, and {wanted} are needed: raise it"
        );
        let raised = Rlimit {
            current: Some(wanted),
            maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
}

/// The memory of this process, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse().unwrap()
}

/// Connections that are open at the same time, each of which asks several times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_sign_once_each_and_fail_never() {
    let connections = count("CONNECTIONS", 40);
    let requests = count("REQUESTS", 5);
    allow_connections(connections);
    let mut limits = Limits::default();
    limits.connections = connections;
    let serving = Serving::of_bindings(|acceptor| Server::new(acceptor).with_limits(limits)).await;
    let url = format!("https://localhost:{}/", serving.address.port());
    let device = FakeDevice::new("counted");
    let binder = binder(&device);
    binder.id(&url, P256).unwrap();
    device.inject([]);
    let all_connected = Arc::new(tokio::sync::Barrier::new(connections));
    let start = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|number| {
            let protocol = if number % 2 == 0 { HTTP1 } else { HTTP2 };
            let version = VERSIONS[number / 2 % 2];
            let mut context = only(version, protocol);
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
            let client = Client::<NoBody>::new(connector(&binder, context));
            let (url, all_connected) = (url.clone(), Arc::clone(&all_connected));
            tokio::spawn(async move {
                for request in 0..requests {
                    let response = client.request(get(&url)).await.unwrap();
                    assert_eq!(response.status(), 200);
                    assert_eq!(text(response).await, "provided\n");
                    if request == 0 {
                        all_connected.wait().await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let rate = (connections * requests) as f64 / start.elapsed().as_secs_f64();
    println!(
        "{connections} connections at once × {requests} requests: {} signatures, 0 failed, \
         {rate:.0} requests/s, {} KiB of memory with both ends",
        device.calls(),
        resident()
    );
    assert_eq!(device.calls(), connections);
}

/// The next of a row of numbers that look random and are the same in each run (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *state;
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A header value: of the alphabet, of any visible characters, or like a message at first.
fn random_header(state: &mut u64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let kind = next(state) % 3;
    let length = next(state) % 800;
    let mut header = if kind == 2 {
        "AIkAAgBBQ".to_owned()
    } else {
        String::new()
    };
    header.extend((0..length).map(|_| {
        let number = next(state);
        match kind {
            0 => char::from(0x21 + (number % 94) as u8),
            _ => char::from(ALPHABET[(number % 64) as usize]),
        }
    }));
    header
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_headers_get_400_each_and_leave_nothing_behind() {
    let headers = count("HEADERS", 2_000);
    let refused = Arc::new(AtomicUsize::new(0));
    let serving = Serving::of_bindings(Server::new).await;
    let mut state = 1;
    let mut memory = Vec::new();
    let start = Instant::now();
    for tenth in 0..10 {
        let protocol = if tenth % 2 == 0 { HTTP1 } else { HTTP2 };
        let link = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        let mut sender = link.http::<NoBody>().await;
        for _ in 0..headers / 10 {
            let request = http::Request::get("https://localhost/");
            let request = request.header("sec-token-binding", random_header(&mut state));
            let response = sender.send(request.body(NoBody::new()).unwrap()).await;
            assert_eq!(response.status(), 400);
            text(response).await;
            refused.fetch_add(1, Ordering::Relaxed);
        }
        memory.push(resident());
    }
    let rate = headers as f64 / start.elapsed().as_secs_f64();
    println!(
        "{} random headers: {} answered 400, {rate:.0} requests/s, memory after each tenth: {memory:?} KiB",
        headers,
        refused.load(Ordering::Relaxed)
    );
    // The first tenth warms allocator and caches up; after the second nothing may grow.
    let grown = memory[9].saturating_sub(memory[1]);
    assert!(grown < 4096, "memory grew by {grown} KiB: {memory:?}");
}
