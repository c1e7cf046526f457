//! A connection by hand: every frame that comes is seen, whether somebody waits for it or not.

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

/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A connection on which nothing comes for so long, in spite of the heartbeats, is given up.
const SILENCE: Duration = Duration::from_secs(8);

/// What a connection is told to do.
enum Task {
    Ask(Request, oneshot::Sender<OutputFrame>),
    Leave,
}

/// A connection. Dropped, it is cut without a close frame.
#[derive(Debug)]
pub(crate) struct Connection {
    tasks: mpsc::Sender<Task>,
    server: JoinHandle<()>,
}

impl Connection {
    /// Opens one.
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
        let (tasks, queue) = mpsc::channel(16);
        let server = tokio::spawn(serve(device, queue, participant.clone()));
        Ok(Self { tasks, server })
    }

    /// Whether it is still there, as far as is known here.
    pub(crate) fn is_open(&self) -> bool {
        !self.server.is_finished()
    }

    /// Sends a request and waits for its answer; `None` where the gateway reports that something failed, which may have been this.
    ///
    /// # Errors
    /// The connection ends, or no answer comes in time.
    pub(crate) async fn ask(&self, request: Request) -> Result<Option<OutputFrame>> {
        let (answer, answered) = oneshot::channel();
        let asked = self.tasks.send(Task::Ask(request, answer)).await;
        asked.ok().context("the connection has ended")?;
        let answer = timeout(ANSWER, answered).await.context("wait for an answer")?;
        match answer {
            Ok(output) => Ok(Some(output)),
            Err(_) if self.is_open() => Ok(None),
            Err(_) => bail!("the connection has ended"),
        }
    }

    /// Closes it as a device does that leaves.
    pub(crate) async fn leave(mut self) {
        if self.tasks.send(Task::Leave).await.is_ok() {
            // The gateway may not answer the close frame; the socket is cut then.
            let _ = timeout(OPEN, &mut self.server).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut device: Device, mut tasks: mpsc::Receiver<Task>, participant: Participant) {
    let reason = match serve_until_left(&mut device, &mut tasks, &participant).await {
        Ok(()) => {
            // It has said good-bye; what the other side makes of it does not matter.
            let _ = device.leave().await;
            "left".to_owned()
        }
        Err(error) => format!("{error:#}"),
    };
    participant.note(Event::Disconnected { reason });
}

async fn serve_until_left(
    device: &mut Device,
    tasks: &mut mpsc::Receiver<Task>,
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
                    Ok(outputs) => outputs.into_iter().try_for_each(|output| take(output, &mut waiting, participant))?,
                    // API Gateway reports that a function failed, and not which request that was for.
                    Err(_) => waiting.clear(),
                }
            }
            task = tasks.recv() => match task {
                Some(Task::Ask(request, answer)) => {
                    let request_id = device.start(request).await?;
                    waiting.insert(request_id, answer);
                }
                Some(Task::Leave) | None => return Ok(()),
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

/// An output is somebody's answer, or a push.
fn take(
    output: OutputFrame,
    waiting: &mut HashMap<u64, oneshot::Sender<OutputFrame>>,
    participant: &Participant,
) -> Result<()> {
    if let Some(answer) = waiting.remove(&output.request_id) {
        // Whoever asked may have stopped waiting.
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
