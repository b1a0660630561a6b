//! `serve` in the background.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Output, Stdio},
};

use serde_json::Value;

use super::Sandbox;

/// A server that ends with the test.
pub(crate) struct Serving {
    process: Child,
    /// Held so that the server never writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
    /// `https://127.0.0.1:PORT/`.
    pub(crate) url: String,
    cert: String,
}

impl Serving {
    /// Starts the command's `serve` with these arguments, and a certificate that is made for it.
    pub(crate) fn new(sandbox: &Sandbox, args: &[&str]) -> Self {
        let cert = sandbox.path(&format!("cert-{}.pem", args.join("").len()));
        let cert = cert.to_str().unwrap().to_owned();
        Self::start(
            sandbox,
            &[&["--write-cert", &cert], args].concat(),
            cert.clone(),
        )
    }

    pub(crate) fn start(sandbox: &Sandbox, args: &[&str], cert: String) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        let mut command = sandbox.command();
        command.args(args).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        stdout.read_line(&mut url).unwrap();
        assert!(url.starts_with("https://127.0.0.1:"), "{url:?}");
        Self {
            process,
            _stdout: stdout,
            url: url.trim_end().to_owned(),
            cert,
        }
    }

    /// The address of a path, under the name `localhost`, which is another site.
    pub(crate) fn localhost(&self, path: &str) -> String {
        format!("{}{path}", self.url.replace("127.0.0.1", "localhost"))
    }

    pub(crate) fn cert(&self) -> &str {
        &self.cert
    }

    /// `fetch` with trust in this server's certificate.
    pub(crate) fn fetch(&self, sandbox: &Sandbox, url: &str, args: &[&str]) -> Output {
        let args = [&["fetch", url, "--cacert", &self.cert], args].concat();
        sandbox.run(&args)
    }

    /// The document of a `fetch` of a path, whatever its status.
    pub(crate) fn json(&self, sandbox: &Sandbox, path: &str, args: &[&str]) -> Value {
        let url = format!("{}{path}", self.url);
        let output = self.fetch(sandbox, &url, &[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Asks the server to end, and gives its exit status.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let interrupt = ["-INT", &self.process.id().to_string()].map(str::to_owned);
        let killed = std::process::Command::new("kill").args(interrupt).status();
        assert!(killed.unwrap().success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
