//! Two ends with a wire between them that shows every record and may change it on its way.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Mutex,
    thread,
};

use openssl::ssl::{HandshakeError, SslRef, SslStream};
use tokenbinding_https::tls::{self, OutcomeError, TokenBound};

use super::Handshake;

/// Content types (RFC 8446 §5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// What OpenSSL adds to the description of an alert that it received, for an error's reason.
const RECEIVED_ALERT: i32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// One TLS record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) content_type: u8,
    version: [u8; 2],
    pub(crate) payload: Vec<u8>,
}

impl Record {
    fn read(from: &mut impl Read) -> Option<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head).ok()?;
        let [content_type, major, minor, high, low] = head;
        let mut payload = vec![0; u16::from_be_bytes([high, low]).into()];
        from.read_exact(&mut payload).ok()?;
        Some(Self {
            content_type,
            version: [major, minor],
            payload,
        })
    }

    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        let length = u16::try_from(self.payload.len()).unwrap().to_be_bytes();
        let head = [&[self.content_type], &self.version[..], &length].concat();
        to.write_all(&[&head[..], &self.payload].concat())
    }

    /// Changes the extensions of a hello, if this record is one: ClientHello (1), ServerHello (2).
    pub(crate) fn edit_hello(&mut self, edit: impl FnOnce(&mut Hello)) {
        if let Some(mut hello) = Hello::read(self) {
            edit(&mut hello);
            self.payload = hello.write();
        }
    }
}

/// A hello in a record of its own, as OpenSSL sends them.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    /// ClientHello (1) or ServerHello (2).
    kind: u8,
    /// Version, random, session id.
    head: Vec<u8>,
    /// A client's list.
    pub(crate) cipher_suites: Vec<[u8; 2]>,
    /// What is between the cipher suites and the extensions.
    middle: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let (kind, rest) = record.payload.split_first()?;
        if record.content_type != HANDSHAKE || !matches!(kind, 1 | 2) {
            return None;
        }
        let (length, body) = rest.split_at_checked(3)?;
        // An encrypted message says something else.
        if length != &u32::try_from(body.len()).ok()?.to_be_bytes()[1..] {
            return None;
        }
        let (head, mut body) = body.split_at(2 + 32 + 1 + usize::from(body[34]));
        let mut cipher_suites = Vec::new();
        let middle = if *kind == 1 {
            let (list, rest) = vector16(body);
            cipher_suites.extend(list.chunks(2).map(|suite| [suite[0], suite[1]]));
            rest.split_at(1 + usize::from(rest[0]))
        } else {
            body.split_at(3)
        };
        body = middle.1;
        let (mut list, end) = vector16(body);
        assert!(end.is_empty(), "the record holds more than a hello");
        let mut extensions = Vec::new();
        while let [high, low, rest @ ..] = list {
            let (data, rest) = vector16(rest);
            extensions.push((u16::from_be_bytes([*high, *low]), data.to_vec()));
            list = rest;
        }
        Some(Self {
            kind: *kind,
            head: head.to_vec(),
            cipher_suites,
            middle: middle.0.to_vec(),
            extensions,
        })
    }

    fn write(&self) -> Vec<u8> {
        let mut body = self.head.clone();
        if self.kind == 1 {
            put_vector16(&mut body, &self.cipher_suites.concat());
        }
        body.extend(&self.middle);
        let mut extensions = Vec::new();
        for (extension, data) in &self.extensions {
            extensions.extend(extension.to_be_bytes());
            put_vector16(&mut extensions, data);
        }
        put_vector16(&mut body, &extensions);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[self.kind], &length[1..], &body].concat()
    }

    /// The body of an extension.
    pub(crate) fn extension(&self, wanted: u16) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, data)| &**data)
    }

    pub(crate) fn remove(&mut self, unwanted: u16) {
        self.extensions.retain(|(kind, _)| *kind != unwanted);
    }
}

fn vector16(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = u16::from_be_bytes([bytes[0], bytes[1]]);
    bytes[2..].split_at(length.into())
}

fn put_vector16(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    to.extend(bytes);
}

/// How a handshake ended for one side.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) finished: bool,
    pub(crate) resumed: bool,
    pub(crate) outcome: Result<Option<TokenBound>, OutcomeError>,
    /// The fatal alert that this side received.
    received: Option<u8>,
    pub(crate) error: String,
}

impl End {
    /// The end of a handshake; the connection is closed.
    pub(crate) fn of(handshake: Handshake) -> Self {
        match handshake {
            Ok(stream) => Self::finished(&stream),
            Err(HandshakeError::Failure(failed)) => Self::failed(failed.ssl(), failed.error()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn finished(stream: &SslStream<UnixStream>) -> Self {
        Self {
            finished: true,
            resumed: stream.ssl().session_reused(),
            outcome: tls::outcome(stream.ssl()),
            received: None,
            error: String::new(),
        }
    }

    pub(crate) fn failed(ssl: &SslRef, error: &openssl::ssl::Error) -> Self {
        let stack = error.ssl_error().map(openssl::error::ErrorStack::errors);
        let received = stack.into_iter().flatten().find_map(|error| {
            let alert = error.reason_code().checked_sub(RECEIVED_ALERT);
            alert.and_then(|alert| u8::try_from(alert).ok())
        });
        Self {
            finished: false,
            resumed: false,
            outcome: tls::outcome(ssl),
            received,
            error: error.to_string(),
        }
    }

    /// The key type, if the handshake finished and negotiated one.
    pub(crate) fn key_type(&self) -> Option<tokenbinding::KeyType> {
        assert!(self.finished, "{}", self.error);
        let bound = self.outcome.as_ref().unwrap().as_ref();
        bound.map(|bound| bound.negotiated.key_type)
    }
}

/// A handshake, as both ends and the wire saw it.
#[derive(Debug)]
pub(crate) struct Meeting {
    pub(crate) client: End,
    pub(crate) server: End,
    /// What each side sent, before the wire changed it.
    pub(crate) sent: Vec<(Side, Record)>,
}

impl Meeting {
    /// The fatal alert by which a side ended the handshake. One that was sent in the clear must be
    /// of level 2 on the wire; one that was encrypted is what the other side took for fatal.
    pub(crate) fn alert_of(&self, side: Side) -> Option<u8> {
        let received = match side {
            Side::Client => self.server.received,
            Side::Server => self.client.received,
        };
        let in_the_clear = self.sent.iter().find_map(|(from, record)| {
            let alert = *from == side && record.content_type == ALERT && record.payload.len() == 2;
            alert.then_some(&record.payload)
        });
        if let Some(alert) = in_the_clear {
            assert_eq!(alert[0], 2, "an alert that is not fatal");
            assert_eq!(received, Some(alert[1]));
        }
        received
    }

    /// Whether the alert of [`alert_of`](Self::alert_of) was readable on the wire.
    pub(crate) fn alert_in_the_clear(&self, side: Side) -> bool {
        let alert = |(from, record): &(Side, Record)| {
            *from == side && record.content_type == ALERT && record.payload.len() == 2
        };
        self.sent.iter().any(alert)
    }

    /// The last hello of a side.
    pub(crate) fn hello_of(&self, side: Side) -> Hello {
        let hellos = self.sent.iter().filter(|(from, _)| *from == side);
        let mut hellos = hellos.filter_map(|(_, record)| Hello::read(record));
        hellos.next_back().unwrap()
    }
}

/// Leaves a record as it is.
pub(crate) fn unchanged(_: Side, _: &mut Record) {}

/// Lets both ends meet over a wire that shows `edit` each record. Each end drops its stream when it
/// is done.
pub(crate) fn meet(
    client: impl FnOnce(UnixStream) -> End + Send,
    server: impl FnOnce(UnixStream) -> End + Send,
    edit: impl Fn(Side, &mut Record) + Sync,
) -> Meeting {
    let sent = Mutex::new(Vec::new());
    let relay = |side: Side, mut from: UnixStream, mut to: UnixStream| {
        while let Some(mut record) = Record::read(&mut from) {
            sent.lock().unwrap().push((side, record.clone()));
            edit(side, &mut record);
            // An end that is gone reads no more; the other's records are still noted.
            let _ = record.write(&mut to);
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    let (client_end, client_wire) = UnixStream::pair().unwrap();
    let (server_end, server_wire) = UnixStream::pair().unwrap();
    let (client_out, server_out) = (
        client_wire.try_clone().unwrap(),
        server_wire.try_clone().unwrap(),
    );
    let (client, server) = thread::scope(|scope| {
        scope.spawn(|| relay(Side::Client, client_wire, server_out));
        scope.spawn(|| relay(Side::Server, server_wire, client_out));
        let server = scope.spawn(|| server(server_end));
        (client(client_end), server.join().unwrap())
    });
    let sent = sent.into_inner().unwrap();
    Meeting {
        client,
        server,
        sent,
    }
}
