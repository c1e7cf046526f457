//! A device with an app on the client SDK, which keeps its cursors and its session as
//! `docs/user/sdk.md` asks.
//!
//! Each start has its own runtime. A crash shuts the runtime down, so no task of the client ends by
//! itself and no close frame is sent.

use super::disk::{Disk, DiskWriter, give_up, lock, settle};
use super::{ANSWER, Endpoints, Participant, Recipient};
use anyhow::{Context as _, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use wigwag_client::{
    Backoff, Client, ConnectOptions, Encoding, Events, Range, Receipt, SendError, Sending, SignIn, Start, Timing,
    TokenSource,
};
use wigwag_invariants::{Event, GroupId, Token};

/// How long a client may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// A start of the app.
#[derive(Debug)]
struct App {
    runtime: Option<Runtime>,
    client: Client,
    reader: Option<tokio::task::JoinHandle<()>>,
}

/// The device.
#[derive(Debug)]
pub(crate) struct Sdk {
    endpoints: Endpoints,
    participant: Participant,
    disk: Arc<Mutex<Disk>>,
    app: Option<App>,
    /// Queued by this start, and without a result.
    under_way: VecDeque<Queued>,
    /// To be queued by the next start.
    unsent: Vec<(Recipient, Token)>,
}

/// A message that the client was given.
#[derive(Debug)]
struct Queued {
    to: Recipient,
    message: Token,
    sending: Sending,
}

impl Sdk {
    /// A device with an empty disk, not started.
    pub(crate) fn new(endpoints: &Endpoints, participant: Participant) -> Self {
        Self {
            endpoints: endpoints.clone(),
            participant,
            disk: Arc::default(),
            app: None,
            under_way: VecDeque::new(),
            unsent: Vec::new(),
        }
    }

    /// Identifies it.
    pub(crate) fn participant(&self) -> &Participant {
        &self.participant
    }

    /// Starts the app if it does not run, and again if its client has stopped by itself.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let has_stopped = self.disk().has_stopped;
        if self.app.is_some() && has_stopped {
            self.leave().await;
        }
        if self.app.is_none() {
            self.app = Some(self.open()?);
            // Messages that were under way when the client stopped come before later ones.
            let mut unsent = std::mem::take(&mut self.unsent);
            unsent.sort_by_key(|(_, message)| message.number);
            for (to, message) in unsent {
                self.queue(to, message).await;
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<App> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(&self.participant.account.device_id)
            .enable_all()
            .build()
            .context("make a runtime")?;
        let writer = self.take_over();
        let options = self.options(&writer);
        let _inside = runtime.enter();
        let (client, events) = Client::start(options);
        let reader = Some(runtime.spawn(read(events, writer)));
        Ok(App {
            runtime: Some(runtime),
            client,
            reader,
        })
    }

    /// Takes the disk over from the last start.
    fn take_over(&self) -> DiskWriter {
        let mut disk = self.disk();
        if !disk.is_installed {
            disk.is_installed = true;
            self.participant.note(Event::Installed);
        }
        disk.start += 1;
        (disk.restored, disk.has_stopped) = (disk.pending(), false);
        self.participant.note(Event::Started);
        DiskWriter {
            disk: Arc::clone(&self.disk),
            start: disk.start,
            participant: self.participant.clone(),
        }
    }

    fn options(&self, writer: &DiskWriter) -> ConnectOptions {
        let token = TokenSource::fixed(&self.participant.account.token);
        let mut options = ConnectOptions::new(self.endpoints.websocket_url.clone(), self.participant.user(), token);
        let disk = self.disk();
        options.start = Start::After(disk.cursor);
        options.super_groups = disk.groups.clone();
        options.ended_groups = disk.ended_groups.clone();
        options.session.clone_from(&disk.session);
        options.session_store = Some(Arc::new(writer.clone()));
        options.http_url = Some(self.endpoints.http_url.clone());
        options.timing = timing();
        // Half of the devices sign in and encode in this way, half in the default way.
        if self.participant.index % 2 == 1 {
            (options.sign_in, options.encoding) = (SignIn::Subprotocol, Encoding::Json);
        }
        options
    }

    /// Queues a message. [`Self::answers`] records its result.
    pub(crate) async fn send(&mut self, to: Recipient, message: Token) {
        self.participant.note(Event::Send {
            message,
            to: to.conversation(self.participant.user()),
        });
        self.queue(to, message).await;
    }

    async fn queue(&mut self, to: Recipient, message: Token) {
        let Some(app) = &self.app else {
            return self.unsent.push((to, message));
        };
        match app.client.enqueue(to, message.content()).await {
            Ok(sending) => self.under_way.push_back(Queued { to, message, sending }),
            Err(_) => self.unsent.push((to, message)),
        }
    }

    /// Waits until all queued messages have results, or for so long. Returns whether they have.
    pub(crate) async fn answers(&mut self, patience: Duration) -> bool {
        let all = async {
            while let Some(queued) = self.under_way.front_mut() {
                let result = (&mut queued.sending).await;
                if let Some(Queued { to, message, .. }) = self.under_way.pop_front() {
                    self.settle(to, message, result);
                }
            }
        };
        timeout(patience, all).await.is_ok()
    }

    /// Closes the app.
    pub(crate) async fn leave(&mut self) {
        let Some(mut app) = self.app.take() else {
            return;
        };
        // A client that does not end is cut off like by a crash.
        if timeout(STOP, app.client.close()).await.is_ok()
            && let Some(reader) = app.reader.take()
        {
            let _ = timeout(STOP, reader).await;
        }
        self.cut(app, Event::Left).await;
    }

    /// Cuts the app off in the middle of what it does.
    pub(crate) async fn crash(&mut self) {
        if let Some(app) = self.app.take() {
            self.cut(app, Event::Crashed).await;
        }
    }

    /// Removes the app and all its data.
    pub(crate) async fn uninstall(&mut self) {
        self.crash().await;
        let mut disk = lock(&self.disk);
        let unsent = self.unsent.drain(..).map(|(_, message)| message);
        for message in disk.pending().into_iter().chain(unsent) {
            give_up(&self.participant, message, "the app was taken from the device");
        }
        *disk = Disk {
            start: disk.start,
            ..Disk::default()
        };
    }

    async fn cut(&mut self, app: App, how: Event) {
        {
            let mut disk = self.disk();
            disk.start += 1;
            self.participant.note(how);
        }
        drop(app);
        // The tasks that would answer are gone. Results from before count.
        for Queued { to, message, sending } in std::mem::take(&mut self.under_way) {
            let result = timeout(STOP, sending).await;
            let stopped = Err(SendError::Stopped { transmitted: true });
            self.settle(to, message, result.unwrap_or(stopped));
        }
        let mut disk = self.disk();
        let pending = disk.pending();
        if let Some(message) = disk.restored.take().filter(|message| pending != Some(*message)) {
            self.give_up(message, "it was settled as the app ended");
        }
    }

    /// The stored cursor of the inbox.
    pub(crate) fn cursor(&self) -> u64 {
        self.disk().cursor
    }

    /// The stored cursor of a super group.
    pub(crate) fn group_cursor(&self, group: GroupId) -> Option<u64> {
        self.disk().groups.get(&group).copied()
    }

    /// Whether a message is unanswered.
    pub(crate) fn is_sending(&self) -> bool {
        !self.under_way.is_empty() || !self.unsent.is_empty() || self.disk().restored.is_some()
    }

    /// The highest seq of the inbox.
    pub(crate) async fn end(&self) -> Result<u64> {
        Ok(self.client()?.heartbeat().await?.max_seq)
    }

    /// The highest conversation seq of a group that this user may read.
    pub(crate) async fn group_end(&self, group: GroupId) -> Result<u64> {
        let page = self.client()?.pull(Recipient::Group(group), Range::newest(1)).await?;
        Ok(page.max_seq)
    }

    fn client(&self) -> Result<&Client> {
        Ok(&self.app.as_ref().context("the app does not run")?.client)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    /// Takes the result of a queued message.
    fn settle(&mut self, to: Recipient, message: Token, result: Result<Receipt, SendError>) {
        let has_begun = self.disk().begun.contains(&message);
        if matches!(result, Err(SendError::Stopped { .. })) && !has_begun {
            return self.unsent.push((to, message));
        }
        settle(&self.disk, &self.participant, message, result);
    }

    fn give_up(&self, message: Token, reason: &str) {
        give_up(&self.participant, message, reason);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn read(mut events: Events, writer: DiskWriter) {
    while let Some(event) = events.next().await {
        writer.take(event);
    }
}

/// Short times, so that everything that a client does happens often within a minute.
fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_secs(2),
        planned_reconnect: Duration::from_secs(25),
        planned_reconnect_jitter: Duration::from_secs(15),
        connect_timeout: Duration::from_secs(10),
        answer_timeout: ANSWER,
        silence: Duration::from_secs(8),
        backoff: Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_millis(1500),
        },
        stable_after: Duration::from_secs(5),
        super_group_spread: Duration::from_millis(200),
        super_group_poll: Duration::from_millis(1500),
        close_timeout: Duration::from_secs(2),
        ..Timing::default()
    }
}
