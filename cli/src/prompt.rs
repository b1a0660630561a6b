//! Asks and tells the person at the terminal what a token wants. Never in a pipe.

use std::io::{self, IsTerminal as _};

use tokenbinding::callbacks::{Callbacks, PinTries, TokenName};
use zeroize::Zeroizing;

use crate::output::tell;

/// The person at the terminal, if there is one.
pub(crate) struct Terminal;

impl Callbacks for Terminal {
    fn pin(&self, token: &TokenName, tries: PinTries) -> Option<Zeroizing<String>> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        match tries {
            PinTries::Full => (),
            PinTries::Low => tell("a wrong PIN was entered before"),
            PinTries::Final => tell("one wrong PIN more locks the token"),
        }
        let prompt = format!(
            "PIN of the token {:?} (serial {:?}): ",
            token.label, token.serial
        );
        rpassword::prompt_password(prompt).ok().map(Zeroizing::new)
    }

    fn pin_pad(&self, token: &TokenName) {
        tell(&format!(
            "enter the PIN of the token {:?} at its own pad",
            token.label
        ));
    }

    fn touch(&self, token: &TokenName) {
        tell(&format!("touch the token {:?}", token.label));
    }
}
