//! A relay between clients and a swtpm: it counts commands, and makes them go wrong.
//!
//! It passes on whole commands, one at a time, over one connection to swtpm. The TSS connects anew
//! for each command, so a fault of the connection is a fault of one command.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    command,
    ports::Ports,
    swtpm::{self, Swtpm},
};

/// What goes wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The TPM never sees it; the client gets this response code.
    Answer(u32),
    /// The client waits this long for the response.
    Delay(Duration),
    /// The TPM never sees it; the client's connection ends.
    CutBefore,
    /// The TPM does it; the client's connection ends in place of the response.
    CutAfter,
    /// One bit of the response is wrong: that of this byte, counted from its end.
    FlipFromEnd(usize),
    /// So many bytes of the response's end are missing; its header tells the shorter length.
    Short(usize),
}

#[derive(Debug)]
struct Rule {
    code: u32,
    skip: usize,
    times: usize,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<u32>,
    traffic: Option<Vec<u8>>,
    rules: Vec<Rule>,
    upstream: Option<TcpStream>,
}

#[derive(Debug)]
struct Shared {
    upstream_port: u16,
    state: Mutex<State>,
    closed: AtomicBool,
}

/// A running relay. It ends on drop.
#[derive(Debug)]
pub struct Relay {
    ports: Ports,
    shared: Arc<Shared>,
}

impl Relay {
    /// Starts a relay to `swtpm`.
    #[must_use]
    pub fn start(swtpm: &Swtpm) -> Self {
        let (ports, commands, control) = listen();
        let shared = Arc::new(Shared {
            upstream_port: swtpm.port(),
            state: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        accept(commands, &shared, |client, shared| {
            relay_commands(client, shared)
        });
        accept(control, &shared, |client, shared| {
            relay_control(client, shared.upstream_port + 1)
        });
        Self { ports, shared }
    }

    /// The TCTI that leads through it.
    #[must_use]
    pub fn tcti(&self) -> String {
        swtpm::tcti(self.ports.first())
    }

    /// The command codes since the last call, in order.
    #[must_use]
    pub fn take_log(&self) -> Vec<u32> {
        std::mem::take(&mut self.shared.lock().log)
    }

    /// Keeps what passes from now on.
    pub fn keep_traffic(&self) {
        self.shared.lock().traffic = Some(Vec::new());
    }

    /// What passed since [`keep_traffic`](Self::keep_traffic), commands and responses.
    #[must_use]
    pub fn traffic(&self) -> Vec<u8> {
        self.shared.lock().traffic.clone().unwrap_or_default()
    }

    /// Lets `fault` happen to the next `times` commands of code `code`.
    pub fn inject(&self, code: u32, times: usize, fault: Fault) {
        self.inject_after(code, 0, times, fault);
    }

    /// Lets `fault` happen to `times` commands of code `code`, after `skip` of them.
    pub fn inject_after(&self, code: u32, skip: usize, times: usize, fault: Fault) {
        self.shared.lock().rules.push(Rule {
            code,
            skip,
            times,
            fault,
        });
    }

    /// Takes back all faults that have not happened yet.
    pub fn forget_faults(&self) {
        self.shared.lock().rules.clear();
    }

    /// How many faults were not used up.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.shared.lock().rules.iter().map(|rule| rule.times).sum()
    }

    /// Sends one command between those of the clients, uncounted. It must succeed.
    pub fn execute(&self, command: &[u8]) -> Vec<u8> {
        let mut state = self.shared.lock();
        let response = exchange(&mut state.upstream, self.shared.upstream_port, command);
        let response = response.expect("swtpm answers");
        assert_eq!(command::code_of(&response), 0, "the TPM's response code");
        response
    }

    /// Lets go of swtpm, so that others can connect to it while no client sends anything.
    pub fn release(&self) {
        self.shared.lock().upstream = None;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        self.release();
        // Wakes both threads that wait for clients.
        for port in [self.ports.first(), self.ports.first() + 1] {
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on one command. `None` ends the client's connection.
    fn relay(&self, command: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let code = command::code_of(command);
        state.log.push(code);
        let fault = state.fault_for(code);
        match fault {
            Some(Fault::Answer(code)) => return Some(command::response(code)),
            Some(Fault::CutBefore) => return None,
            _ => {}
        }
        let mut response = exchange(&mut state.upstream, self.upstream_port, command).ok()?;
        if let Some(traffic) = &mut state.traffic {
            traffic.extend(command);
            traffic.extend(&response);
        }
        drop(state);
        match fault {
            Some(Fault::CutAfter) => return None,
            Some(Fault::Delay(delay)) => thread::sleep(delay),
            Some(Fault::FlipFromEnd(at)) => {
                let at = response.len().checked_sub(at + 1)?;
                response[at] ^= 1;
            }
            Some(Fault::Short(by)) => command::shorten(&mut response, by),
            _ => {}
        }
        Some(response)
    }
}

impl State {
    fn fault_for(&mut self, code: u32) -> Option<Fault> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.code == code && rule.times > 0)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

fn exchange(upstream: &mut Option<TcpStream>, port: u16, command: &[u8]) -> io::Result<Vec<u8>> {
    if upstream.is_none() {
        *upstream = Some(connect(port)?);
    }
    let Some(stream) = upstream else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    let response = stream
        .write_all(command)
        .and_then(|()| command::read(stream))
        .and_then(|response| response.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    if response.is_err() {
        *upstream = None;
    }
    response
}

/// Two listeners on ports side by side.
fn listen() -> (Ports, TcpListener, TcpListener) {
    loop {
        let ports = Ports::take();
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        if let (Ok(commands), Ok(control)) = (bind(ports.first()), bind(ports.first() + 1)) {
            return (ports, commands, control);
        }
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    serve: impl Fn(TcpStream, &Shared) -> io::Result<()> + Send + Copy + 'static,
) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            if shared.closed.load(Ordering::Relaxed) {
                return;
            }
            let shared = Arc::clone(&shared);
            // A client that goes away ends its thread.
            thread::spawn(move || serve(client, &shared));
        }
    });
}

fn relay_commands(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    while let Some(command) = command::read(&mut client)? {
        let Some(response) = shared.relay(&command) else {
            return client.shutdown(Shutdown::Both);
        };
        client.write_all(&response)?;
    }
    Ok(())
}

fn relay_control(mut client: TcpStream, port: u16) -> io::Result<()> {
    let mut upstream = connect(port)?;
    let mut answers = (upstream.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers.0, &mut answers.1);
        let _ = answers.1.shutdown(Shutdown::Write);
    });
    io::copy(&mut client, &mut upstream)?;
    upstream.shutdown(Shutdown::Write)
}
