//! A device whose app is built on the client SDK, and does with its cursors and its numbering what `docs/client.md` asks of it.
//!
//! Each start has a runtime of its own. A crash takes the runtime away: no task of the client comes to an end, no close frame is sent. The
//! disk is changed under one lock, and each start has its number there: what a crashed one still does is not on the disk, and not in the
//! history.

use super::{ANSWER, Endpoints, Participant, Recipient};
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use wigwag_client::{
    Backoff, Client, ConnectOptions, Encoding, Event as ClientEvent, Events, Message, Range, Receipt, SendError,
    Sending, Session, SessionStore, SignIn, Start, Timing, TokenSource,
};
use wigwag_invariants::{Answer, Channel, Event, Observed, Token};
use wigwag_store::GroupId;

/// How long a client that stops may take to say so.
const STOP: Duration = Duration::from_secs(5);

/// What survives a crash.
#[derive(Debug, Default)]
struct Disk {
    /// Counts the starts: only the last one writes.
    start: u64,
    /// Whether anything was ever written.
    is_installed: bool,
    cursor: u64,
    groups: BTreeMap<GroupId, u64>,
    ended_groups: BTreeMap<GroupId, u64>,
    session: Option<Session>,
    /// The message that the last start found unanswered, until it is settled.
    restored: Option<Token>,
    /// Messages that a client has begun with. What it has not is queued again by the next start.
    begun: HashSet<Token>,
    /// Whether the client of the last start has stopped by itself.
    has_stopped: bool,
}

/// Who writes on the disk: the client of one start.
#[derive(Debug, Clone)]
struct DiskWriter {
    disk: Arc<Mutex<Disk>>,
    start: u64,
    participant: Participant,
}

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
    /// Queued by this start, and not settled yet.
    under_way: VecDeque<Queued>,
    /// To be queued by the next start.
    unsent: Vec<(Recipient, Token)>,
}

/// A message that the client has.
#[derive(Debug)]
struct Queued {
    to: Recipient,
    message: Token,
    sending: Sending,
}

impl Sdk {
    /// With an empty disk, and not started.
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

    /// Who it is.
    pub(crate) fn participant(&self) -> &Participant {
        &self.participant
    }

    /// Starts the app if it does not run, and anew where its client has stopped by itself.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let has_stopped = self.disk().has_stopped;
        if self.app.is_some() && has_stopped {
            self.leave().await;
        }
        if self.app.is_none() {
            self.app = Some(self.open()?);
            // What was under way when the client stopped comes before what could not be queued any more.
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

    /// Takes the disk over from the start before.
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
        // Half of the devices do it in the one way, half in the other.
        if self.participant.index % 2 == 1 {
            (options.sign_in, options.encoding) = (SignIn::Subprotocol, Encoding::Json);
        }
        options
    }

    /// Queues a message. What becomes of it is written down by [`Self::answers`].
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

    /// Waits until everything that was queued is settled, or for so long. Whether it is.
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

    /// Closes the app as its user does.
    pub(crate) async fn leave(&mut self) {
        let Some(mut app) = self.app.take() else {
            return;
        };
        // A client that does not end is cut off, as by a crash.
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

    /// Takes the app, if it runs, and all that it has, from the device.
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
        // The tasks are gone, and with them whoever would answer; what was answered before counts.
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

    /// The inbox's cursor that is kept.
    pub(crate) fn cursor(&self) -> u64 {
        self.disk().cursor
    }

    /// The super groups' cursors that are kept.
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

    /// What became of a message that was queued.
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

impl Disk {
    /// The message that was in flight when the numbering was last saved.
    fn pending(&self) -> Option<Token> {
        Token::parse(&self.session.as_ref()?.pending.as_ref()?.content)
    }
}

impl DiskWriter {
    /// The disk, if this is still the start that has it.
    fn disk(&self) -> Option<MutexGuard<'_, Disk>> {
        Some(lock(&self.disk)).filter(|disk| disk.start == self.start)
    }

    /// Deals with an event as an app does: what it tells is seen, and then the cursor is kept.
    fn take(&self, event: ClientEvent) {
        let Some(mut disk) = self.disk() else {
            return;
        };
        match event {
            ClientEvent::Message(message) => {
                self.came(Channel::Inbox, &message);
                disk.cursor = message.seq;
            }
            ClientEvent::CaughtUp { cursor } => {
                self.participant.note(Event::Cursor { seq: cursor });
                disk.cursor = cursor;
            }
            ClientEvent::GroupMessage(message) => {
                self.came(Channel::GroupLog, &message);
                disk.groups.insert(message.receiver_id, message.conversation_seq);
            }
            ClientEvent::GroupCursor { group_id, cursor } => {
                let (group, seq) = (group_id, cursor);
                self.participant.note(Event::GroupCursor { group, seq });
                disk.groups.insert(group, seq);
            }
            ClientEvent::GroupEnded { group_id, cursor } => {
                disk.groups.remove(&group_id);
                disk.ended_groups.insert(group_id, cursor);
            }
            ClientEvent::PendingSettled(result) => {
                if let Some(message) = disk.restored.take() {
                    drop(disk);
                    settle(&self.disk, &self.participant, message, result);
                }
            }
            ClientEvent::Connected => self.participant.note(Event::Connected),
            ClientEvent::Disconnected { reason, .. } => self.disconnected(&reason),
            ClientEvent::Stopped(reason) => {
                disk.has_stopped = true;
                self.disconnected(&reason);
            }
            _ => {}
        }
    }

    fn came(&self, by: Channel, message: &Message) {
        let observed = Observed::from_message(message);
        self.participant.note(Event::Came { by, observed });
    }

    fn disconnected(&self, reason: &impl ToString) {
        let reason = reason.to_string();
        self.participant.note(Event::Disconnected { reason });
    }
}

impl SessionStore for DiskWriter {
    fn save(&self, session: &Session) -> io::Result<()> {
        let mut disk = self.disk().ok_or_else(|| io::Error::other("the app has ended"))?;
        disk.session = Some(session.clone());
        let pending = disk.pending();
        disk.begun.extend(pending);
        Ok(())
    }
}

async fn read(mut events: Events, writer: DiskWriter) {
    while let Some(event) = events.next().await {
        writer.take(event);
    }
}

/// Writes down what became of a message. One that the disk still holds is gone on with by the next start.
fn settle(disk: &Mutex<Disk>, participant: &Participant, message: Token, result: Result<Receipt, SendError>) {
    match result {
        Ok(receipt) => participant.note(Event::Acknowledged {
            message,
            answer: answer(receipt),
        }),
        Err(SendError::Refused { code, .. }) => participant.note(Event::Refused {
            message,
            code: u32::try_from(code).unwrap_or_default(),
        }),
        Err(_) if lock(disk).pending() == Some(message) => {}
        Err(error) => give_up(participant, message, &error.to_string()),
    }
}

fn give_up(participant: &Participant, message: Token, reason: &str) {
    let reason = reason.to_owned();
    participant.note(Event::GivenUp { message, reason });
}

fn answer(receipt: Receipt) -> Answer {
    Answer {
        session: receipt.session,
        client_id: receipt.client_id,
        seq: receipt.seq,
        conversation_seq: receipt.conversation_seq,
        send_time_ms: receipt.send_time_ms,
    }
}

/// Small, so that everything that a client does happens often within a minute.
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

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}
