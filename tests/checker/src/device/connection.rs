//! A connection of a raw device. It records every pushed message, and hands on the answers.

use super::{ANSWER, Endpoints, Participant};
use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use wigwag_cluster::{Device, Dial};
use wigwag_invariants::{Channel, Event, Observed};
use wigwag_protocol::pb::HeartbeatMsg;
use wigwag_protocol::{OutputFrame, Payload, Request};

/// How long a handshake may take.
const OPEN: Duration = Duration::from_secs(10);

/// The time between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A connection is given up if nothing comes for so long in spite of the heartbeats.
const SILENCE: Duration = Duration::from_secs(8);

/// An order to the task that serves the connection.
enum Order {
    Ask(Request, oneshot::Sender<OutputFrame>),
    Leave,
}

/// A connection. When it is dropped, it is cut without a close frame.
#[derive(Debug)]
pub(crate) struct Connection {
    orders: mpsc::Sender<Order>,
    server: JoinHandle<()>,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// It is refused, or takes too long.
    pub(crate) async fn open(endpoints: &Endpoints, participant: &Participant) -> Result<Self> {
        let dial = Dial::new(endpoints.websocket_url.as_str()).token(&participant.account.token);
        // Half of the devices speak JSON.
        let dial = match participant.index % 2 {
            0 => dial.subprotocols("wigwag.pb.v1"),
            _ => dial,
        };
        let device = timeout(OPEN, dial.connect())
            .await
            .context("wait for the handshake")??;
        participant.note(Event::Connected);
        let (orders, queue) = mpsc::channel(16);
        let server = tokio::spawn(serve(device, queue, participant.clone()));
        Ok(Self { orders, server })
    }

    /// Whether it is open, as far as the device knows.
    pub(crate) fn is_open(&self) -> bool {
        !self.server.is_finished()
    }

    /// Sends a request and waits for its answer. `None` if the gateway reports that some request
    /// failed, which may have been this one.
    ///
    /// # Errors
    /// The connection ends, or no answer comes in time.
    pub(crate) async fn ask(&self, request: Request) -> Result<Option<OutputFrame>> {
        let (answer, answered) = oneshot::channel();
        let asked = self.orders.send(Order::Ask(request, answer)).await;
        asked.ok().context("the connection has ended")?;
        let answer = timeout(ANSWER, answered).await.context("wait for an answer")?;
        match answer {
            Ok(output) => Ok(Some(output)),
            Err(_) if self.is_open() => Ok(None),
            Err(_) => bail!("the connection has ended"),
        }
    }

    /// Closes it with a close frame.
    pub(crate) async fn leave(mut self) {
        if self.orders.send(Order::Leave).await.is_ok() {
            // If the gateway does not answer the close frame, the socket is cut.
            let _ = timeout(OPEN, &mut self.server).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut device: Device, mut orders: mpsc::Receiver<Order>, participant: Participant) {
    let reason = match serve_until_closed(&mut device, &mut orders, &participant).await {
        Ok(()) => {
            // The close frame is sent. What the other side does with it does not matter.
            let _ = device.leave().await;
            "left".to_owned()
        }
        Err(error) => format!("{error:#}"),
    };
    participant.note(Event::Disconnected { reason });
}

async fn serve_until_closed(
    device: &mut Device,
    orders: &mut mpsc::Receiver<Order>,
    participant: &Participant,
) -> Result<()> {
    let mut waiting: HashMap<u64, oneshot::Sender<OutputFrame>> = HashMap::new();
    let mut heard = Instant::now();
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            text = device.next_text() => {
                heard = Instant::now();
                match OutputFrame::decode_batch(&text?) {
                    Ok(outputs) => outputs.into_iter().try_for_each(|output| handle_output(output, &mut waiting, participant))?,
                    // API Gateway reports that a function failed, but not for which request.
                    Err(_) => waiting.clear(),
                }
            }
            order = orders.recv() => match order {
                Some(Order::Ask(request, answer)) => {
                    let request_id = device.start(request).await?;
                    waiting.insert(request_id, answer);
                }
                Some(Order::Leave) | None => return Ok(()),
            },
            _ = heartbeat.tick() => {
                if heard.elapsed() > SILENCE {
                    bail!("silence");
                }
                device.start(Request::Heartbeat(HeartbeatMsg::default())).await?;
            }
        }
    }
}

/// Gives an answer to the one who waits for it, and records a push.
fn handle_output(
    output: OutputFrame,
    waiting: &mut HashMap<u64, oneshot::Sender<OutputFrame>>,
    participant: &Participant,
) -> Result<()> {
    if let Some(answer) = waiting.remove(&output.request_id) {
        // The one who asked may have stopped waiting.
        let _ = answer.send(output);
        return Ok(());
    }
    match output.payload {
        Payload::Push(push) => {
            if let Some(message) = &push.msg {
                let observed = Observed::from_message(message);
                participant.note(Event::Came {
                    by: Channel::Push,
                    observed,
                });
            }
            Ok(())
        }
        Payload::Kick(kick) => bail!("kicked: {:?}", kick.reason()),
        _ => Ok(()),
    }
}
