//! Whether a connection has requests at work, so that one that has none for long can be closed.
//!
//! A request is at work while the server owes something: its answer, or the next piece of it once
//! the connection has asked for it. It asks for none while the client does not read.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{sync::watch, time::timeout};

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    begun: u64,
    ended: u64,
}

/// The requests of one connection. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(watch::Sender<Count>);

impl Activity {
    /// A request that is at work until its guard rests or is dropped.
    pub(super) fn begin(&self) -> AtWork {
        let mut request = AtWork {
            count: self.0.clone(),
            rests: true,
        };
        request.resume();
        request
    }

    /// Whether not even the first request has begun.
    pub(super) fn has_had_no_request(&self) -> bool {
        self.0.borrow().begun == 0
    }

    /// Returns when no request was at work for this long.
    pub(super) async fn idle_for(&self, time: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // The sender is this value's own, so that waiting cannot fail.
            let Ok(Count { begun, .. }) = count
                .wait_for(|count| count.begun == count.ended)
                .await
                .map(|count| *count)
            else {
                return;
            };
            if timeout(time, count.wait_for(|count| count.begun != begun))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// One request, and whether it is at work.
#[derive(Debug)]
pub(super) struct AtWork {
    count: watch::Sender<Count>,
    rests: bool,
}

impl AtWork {
    fn resume(&mut self) {
        if mem::replace(&mut self.rests, false) {
            self.count.send_modify(|count| count.begun += 1);
        }
    }

    fn rest(&mut self) {
        if !mem::replace(&mut self.rests, true) {
            self.count.send_modify(|count| count.ended += 1);
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.rest();
    }
}

pin_project! {
    /// A response's body, whose request rests between its pieces.
    pub(super) struct Working<B> {
        #[pin]
        body: B,
        request: AtWork,
    }
}

impl<B> Working<B> {
    /// The body of the answer to `request`, of which the first piece is not asked for yet.
    pub(super) fn new(body: B, mut request: AtWork) -> Self {
        request.rest();
        Self { body, request }
    }
}

impl<B: Body> Body for Working<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        this.request.resume();
        let polled = this.body.poll_frame(cx);
        if polled.is_ready() {
            this.request.rest();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
