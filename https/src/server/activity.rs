//! Whether a connection has requests at work, so that one that has none for long can be closed.

use std::{
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
    /// A request that is at work until its guard is dropped.
    pub(super) fn begin(&self) -> AtWork {
        self.0.send_modify(|count| count.begun += 1);
        AtWork(self.0.clone())
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

/// One request at work.
#[derive(Debug)]
pub(super) struct AtWork(watch::Sender<Count>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.ended += 1);
    }
}

pin_project! {
    /// A response's body, until whose end its request is at work.
    pub(super) struct Working<B> {
        #[pin]
        pub(super) body: B,
        pub(super) request: AtWork,
    }
}

impl<B: Body> Body for Working<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
