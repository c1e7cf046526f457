//! The input of the judge, indexed once so that no rule has to search.

use crate::history::{Device, DeviceIndex, Event, History, Moment, Setting, Turn};
use crate::membership::Memberships;
use crate::message::{Answer, Conversation, Observed, Token};
use crate::rules::announcements::Announcements;
use crate::settings::Settings;
use crate::tables::{Row, Tables, Timeline, TimelineKey};
use crate::violation::{Stage, Violation};
use crate::{GroupId, UserId};
use std::collections::HashMap;
use wigwag_protocol::pb::GroupChangeType;

/// A history, the tables that it led to, and indexes of both.
#[derive(Debug)]
pub struct Case<'a> {
    /// What happened.
    pub history: &'a History,
    /// How far the run has come.
    pub stage: Stage,
    /// The messages, in the order of their first transmission.
    pub messages: Vec<SentMessage>,
    /// Who was a member when.
    pub members: Memberships,
    /// What groups were and allowed.
    pub settings: Settings,
    /// The announcements in the logs.
    pub announcements: Announcements,
    /// When every device was expected to have everything; the end if the run did not get there.
    pub settled_at: Moment,
    tables: &'a Tables,
    /// Where each message is stored.
    positions: HashMap<Token, Vec<(TimelineKey, u64)>>,
    by_token: HashMap<Token, usize>,
}

/// A message that a device sent.
#[derive(Debug)]
pub struct SentMessage {
    /// Which one.
    pub token: Token,
    /// Its conversation.
    pub to: Conversation,
    /// Its device.
    pub device: DeviceIndex,
    /// The device's user.
    pub sender: UserId,
    /// From here on it may be stored.
    pub begun: Moment,
    /// Each time that it was acknowledged, and with which answer.
    pub answers: Vec<(Moment, Answer)>,
    /// When it was refused for good, and with which code.
    pub refused: Option<(Moment, u32)>,
    /// Whether its device gave it up.
    pub given_up: bool,
}

/// What makes a message of a timeline this one and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A message that a test sent.
    Message(Token),
    /// An announcement, by its seq in the group's log.
    Announcement(GroupId, u64),
}

impl SentMessage {
    /// When it was first acknowledged.
    pub fn acknowledged(&self) -> Option<Moment> {
        self.answers.first().map(|(at, _)| *at)
    }

    /// Its first answer.
    pub fn answer(&self) -> Option<&Answer> {
        self.answers.first().map(|(_, answer)| answer)
    }
}

impl<'a> Case<'a> {
    /// Indexes a history and tables. The history was copied **before** the tables were read.
    pub fn new(history: &'a History, tables: &'a Tables, stage: Stage) -> Self {
        let messages = messages(history);
        let by_token = messages.iter().enumerate().map(|(i, sent)| (sent.token, i)).collect();
        let settled = history.records.iter().position(|record| record.event == Event::Settled);
        let members = Memberships::from_records(&history.records);
        let settings = Settings::from_records(&history.records);
        Self {
            history,
            stage,
            positions: positions(tables),
            announcements: Announcements::new(tables, &members, &settings),
            members,
            settings,
            settled_at: settled.unwrap_or(history.records.len()),
            messages,
            tables,
            by_token,
        }
    }

    /// Whether nothing is under way any more.
    pub fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }

    /// The message with this token; `None` if no test sent it, or sent it after the history was
    /// copied.
    pub fn message(&self, token: Token) -> Option<&SentMessage> {
        self.by_token.get(&token).map(|index| &self.messages[*index])
    }

    /// A device.
    pub fn device(&self, device: DeviceIndex) -> &Device {
        &self.history.devices[device]
    }

    /// Whether a message at this seq of a conversation is in the log alone: behind the seq from
    /// which the group is a super group.
    pub fn is_super(&self, conversation: Conversation, seq: u64) -> bool {
        let log = self.timeline(TimelineKey::Log(conversation));
        let after = log.and_then(|log| log.super_after);
        after.is_some_and(|after| seq > after)
    }

    /// The same for a message that was acknowledged, by where it is stored or else by its answer.
    pub fn is_in_log_alone(&self, message: &SentMessage) -> bool {
        let stored = self.seqs(message.token, TimelineKey::Log(message.to)).next();
        let answered = || message.answer().map(|answer| answer.conversation_seq);
        let seq = stored.or_else(answered);
        seq.is_some_and(|seq| self.is_super(message.to, seq))
    }

    /// The groups that are super groups in the end.
    pub fn super_groups(&self) -> impl Iterator<Item = GroupId> {
        self.timelines().filter_map(|(key, timeline)| match key {
            TimelineKey::Log(Conversation::Group(group)) if timeline.super_after.is_some() => Some(group),
            _ => None,
        })
    }

    /// All timelines.
    pub fn timelines(&self) -> impl Iterator<Item = (TimelineKey, &'a Timeline)> {
        self.tables.timelines.iter().map(|(key, timeline)| (*key, timeline))
    }

    /// A timeline, if anything was ever reserved in it.
    pub fn timeline(&self, key: TimelineKey) -> Option<&'a Timeline> {
        self.tables.timelines.get(&key)
    }

    /// The seqs of a timeline at which a message is stored, ascending.
    pub fn seqs(&self, token: Token, key: TimelineKey) -> impl Iterator<Item = u64> {
        let positions = self.positions.get(&token).map_or(&[][..], Vec::as_slice);
        positions.iter().filter(move |(at, _)| *at == key).map(|(_, seq)| *seq)
    }

    /// Whether a message is stored in a timeline.
    pub fn holds(&self, key: TimelineKey, token: Token) -> bool {
        self.seqs(token, key).next().is_some()
    }

    /// The row at a seq of a conversation's log.
    pub fn logged(&self, conversation: Conversation, seq: u64) -> Option<&'a Row> {
        self.timeline(TimelineKey::Log(conversation))?.rows.get(&seq)
    }

    /// Until when a message may have been accepted: until it was acknowledged, or until now.
    /// `None` if it may still be accepted, so that nothing can be concluded.
    pub fn accepted_by(&self, message: &SentMessage) -> Option<Moment> {
        match message.acknowledged() {
            Some(at) => Some(at),
            None if self.is_settled() => Some(self.history.records.len()),
            None => None,
        }
    }

    /// Whether a device gets a message by its inbox. Of a super group it gets only changes of the
    /// user's own membership, and the announcement that the group became one.
    pub fn is_for_inbox(&self, user: UserId, observed: &Observed) -> bool {
        !self.is_super(observed.conversation, observed.conversation_seq)
            || setting(observed) == Some((Setting::Super, true))
            || membership_changes(observed).iter().any(|(whom, _)| *whom == user)
    }

    /// Whether a message may have a copy in an inbox. Of a super group only announcements that
    /// name the user may.
    pub fn may_be_copied(&self, user: UserId, observed: &Observed) -> bool {
        let names = observed.change.as_ref().is_some_and(|(_, users)| users.contains(&user));
        names || self.is_for_inbox(user, observed)
    }

    /// Whether a message was sent after every device was expected to have everything.
    pub fn is_after_settling(&self, observed: &Observed) -> bool {
        let message = observed.token.and_then(|token| self.message(token));
        message.is_some_and(|message| message.begun > self.settled_at)
    }

    /// Runs a check over all entries of all timelines.
    pub fn each_entry(
        &self,
        found: &mut Vec<Violation>,
        check: impl Fn(&mut Vec<Violation>, TimelineKey, u64, &'a Observed),
    ) {
        for (key, timeline) in self.timelines() {
            for (seq, observed) in timeline.entries() {
                check(found, key, seq, observed);
            }
        }
    }
}

/// What a message is in its timeline; `None` if no test sent it.
pub fn identity(observed: &Observed) -> Option<Identity> {
    match (observed.token, observed.conversation) {
        (Some(token), _) => Some(Identity::Message(token)),
        (None, Conversation::Group(group)) if observed.change.is_some() => {
            Some(Identity::Announcement(group, observed.conversation_seq))
        }
        (None, _) => None,
    }
}

/// The users whose membership an announcement changes.
pub fn membership_changes(observed: &Observed) -> Vec<(UserId, Turn)> {
    let Some((kind, users)) = &observed.change else {
        return Vec::new();
    };
    let all = |turn| users.iter().map(|user| (*user, turn)).collect();
    match GroupChangeType::try_from(*kind) {
        Ok(GroupChangeType::Created | GroupChangeType::MembersAdded) => all(Turn::Joins),
        Ok(GroupChangeType::MembersRemoved) => all(Turn::Leaves),
        Ok(GroupChangeType::MemberLeft) => vec![(observed.sender, Turn::Leaves)],
        _ => Vec::new(),
    }
}

/// The setting of the group that an announcement changes, and whether it is on from then on.
pub fn setting(observed: &Observed) -> Option<(Setting, bool)> {
    let (kind, users) = observed.change.as_ref()?;
    match GroupChangeType::try_from(*kind).ok()? {
        GroupChangeType::BecameSuper => Some((Setting::Super, true)),
        GroupChangeType::Dissolved => Some((Setting::Dissolved, true)),
        GroupChangeType::Muted => Some((Setting::Muted, true)),
        GroupChangeType::Unmuted => Some((Setting::Muted, false)),
        GroupChangeType::MemberMuted => Some((Setting::MemberMuted(*users.first()?), true)),
        GroupChangeType::MemberUnmuted => Some((Setting::MemberMuted(*users.first()?), false)),
        GroupChangeType::HistoryOpened => Some((Setting::OpenHistory, true)),
        GroupChangeType::HistoryClosed => Some((Setting::OpenHistory, false)),
        _ => None,
    }
}

fn messages(history: &History) -> Vec<SentMessage> {
    let mut messages: Vec<SentMessage> = Vec::new();
    let mut by_token: HashMap<Token, usize> = HashMap::new();
    for (at, record) in history.records.iter().enumerate() {
        let (Event::Send { message, .. }
        | Event::Acknowledged { message, .. }
        | Event::Refused { message, .. }
        | Event::GivenUp { message, .. }) = &record.event
        else {
            continue;
        };
        if let (Event::Send { to, .. }, Some(device)) = (&record.event, record.device) {
            by_token.entry(*message).or_insert(messages.len());
            messages.push(SentMessage {
                token: *message,
                to: *to,
                device,
                sender: history.devices[device].user,
                begun: at,
                answers: Vec::new(),
                refused: None,
                given_up: false,
            });
        }
        let Some(sent) = by_token.get(message).map(|index| &mut messages[*index]) else {
            continue;
        };
        match &record.event {
            Event::Acknowledged { answer, .. } => sent.answers.push((at, *answer)),
            Event::Refused { code, .. } => drop(sent.refused.get_or_insert((at, *code))),
            Event::GivenUp { .. } => sent.given_up = true,
            _ => {}
        }
    }
    messages
}

fn positions(tables: &Tables) -> HashMap<Token, Vec<(TimelineKey, u64)>> {
    let mut positions: HashMap<Token, Vec<(TimelineKey, u64)>> = HashMap::new();
    for (key, timeline) in &tables.timelines {
        for (seq, observed) in timeline.entries() {
            if let Some(token) = observed.token {
                positions.entry(token).or_default().push((*key, seq));
            }
        }
    }
    positions
}
