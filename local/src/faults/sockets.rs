//! Faults of WebSockets.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::kind::FaultKind;
use super::{Hold, Injector};

/// What happens to one connection.
#[derive(Debug)]
pub(crate) struct SocketHarm {
    injector: Injector,
    /// For example `socket/12`.
    key: String,
    cut_at: Option<Instant>,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
}

impl Injector {
    /// Decides what happens to the next connection.
    pub(crate) fn socket(&self) -> SocketHarm {
        let key = format!("socket/{}", self.next("socket".to_owned()));
        let cut = self.span(FaultKind::Cut, self.plan().sockets.cut, &key);
        SocketHarm {
            cut_at: cut.map(|after| Instant::now() + after),
            injector: self.clone(),
            key,
            frames_in: AtomicU64::new(0),
            frames_out: AtomicU64::new(0),
        }
    }
}

impl SocketHarm {
    /// How long the next frame from the client is held back.
    pub(crate) fn frame_in(&self) -> Hold {
        let number = self.frames_in.fetch_add(1, Ordering::Relaxed);
        let within = self.injector.plan().sockets.delay_frame_in;
        self.injector.hold(FaultKind::DelayFrameIn, within, &self.frame(number))
    }

    /// How long the next frame to the client is held back.
    pub(crate) fn frame_out(&self) -> Hold {
        let number = self.frames_out.fetch_add(1, Ordering::Relaxed);
        let within = self.injector.plan().sockets.delay_frame_out;
        self.injector
            .hold(FaultKind::DelayFrameOut, within, &self.frame(number))
    }

    /// Returns when the connection should be cut; usually never.
    pub(crate) async fn is_cut(&self) {
        if let Some(at) = self.cut_at {
            tokio::time::sleep_until(at).await;
            if self.injector.takes_effect(FaultKind::Cut) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Waits until `$disconnect` should be invoked; returns whether it never is.
    pub(crate) async fn loses_disconnect(&self) -> bool {
        let plan = &self.injector.plan().sockets;
        let is_hit = self
            .injector
            .hits(FaultKind::DropDisconnect, plan.drop_disconnect, &self.key);
        if is_hit && self.injector.takes_effect(FaultKind::DropDisconnect) {
            return true;
        }
        let delay = self
            .injector
            .hold(FaultKind::DelayDisconnect, plan.delay_disconnect, &self.key);
        delay.over().await;
        false
    }

    fn frame(&self, number: u64) -> String {
        format!("{}/{number}", self.key)
    }
}
