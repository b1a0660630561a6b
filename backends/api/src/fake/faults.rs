//! Which call fails, and how.

use crate::ErrorKind;

/// One call that does not go as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which call to the device, counted from 0 over all operations.
    pub call: usize,
    /// What happens to it.
    pub kind: FaultKind,
}

/// What can happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It fails and the device did nothing.
    Fails(ErrorKind),
    /// The device did it, but the answer was lost on the way.
    AnswerLost(ErrorKind),
    /// It succeeds with one bit wrong: of the signature, or of the key that was opened.
    WrongAnswer,
}
