//! What there is to judge, put in order once, so that no rule has to search.

use super::announcements::Announcements;
use super::membership::Memberships;
use super::settings::Settings;
use super::{Found, Stage};
use crate::history::{Answer, Conversation, Device, DeviceIndex, History, Moment, Said, Setting, Token, Turn, What};
use crate::tables::{Place, Slot, Tables, Timeline};
use std::collections::{BTreeMap, HashMap};
use wigwag_protocol::pb::GroupChangeType;
use wigwag_store::{GroupId, UserId};

/// What there is to judge.
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    pub(super) stage: Stage,
    /// In the order of their first transmission.
    pub(super) messages: Vec<Sending>,
    /// Where each message stands.
    pub(super) places: HashMap<Token, Vec<Stand>>,
    pub(super) members: Memberships,
    pub(super) settings: Settings,
    pub(super) announcements: Announcements,
    /// When everybody was to have everything; the end, if that was not reached.
    pub(super) settled_at: Moment,
    timelines: BTreeMap<Place, &'a Timeline>,
    by_token: HashMap<Token, usize>,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) token: Token,
    pub(super) to: Conversation,
    pub(super) device: DeviceIndex,
    pub(super) sender: UserId,
    /// From here on it may stand.
    pub(super) begun: Moment,
    /// All that the system said of it when it accepted it.
    pub(super) answers: Vec<(Moment, Answer)>,
    /// When it was refused for good, and why.
    pub(super) refused: Option<(Moment, u32)>,
    /// Whether its device gave it up.
    pub(super) given_up: bool,
}

/// A place where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) place: Place,
    pub(super) seq: u64,
}

/// What makes a message of a timeline this one and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Message(Token),
    Announcement(GroupId, u64),
}

impl Sending {
    /// When it was accepted, as far as its device knows.
    pub(super) fn acknowledged(&self) -> Option<Moment> {
        self.answers.first().map(|(at, _)| *at)
    }

    /// What it was answered first.
    pub(super) fn answer(&self) -> Option<&Answer> {
        self.answers.first().map(|(_, answer)| answer)
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(history: &'a History, tables: &'a Tables, stage: Stage) -> Self {
        let messages = messages(history);
        let by_token = messages.iter().enumerate().map(|(i, sent)| (sent.token, i)).collect();
        let settled = history.records.iter().position(|record| record.what == What::Settled);
        let members = Memberships::of(&history.records);
        let settings = Settings::of(&history.records);
        let timelines = tables.timelines.iter();
        let timelines = timelines.filter_map(|(key, timeline)| Some((Place::of(key)?, timeline)));
        let timelines: BTreeMap<Place, &Timeline> = timelines.collect();
        let all = || timelines.iter().map(|(place, timeline)| (*place, *timeline));
        Self {
            history,
            stage,
            places: places(all()),
            announcements: Announcements::of(all(), &members, &settings),
            members,
            settings,
            settled_at: settled.unwrap_or(history.records.len()),
            messages,
            timelines,
            by_token,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }

    /// The message with this token; `None`: nobody of the checker sent it, or only after the history was copied.
    pub(super) fn message(&self, token: Token) -> Option<&Sending> {
        self.by_token.get(&token).map(|place| &self.messages[*place])
    }

    pub(super) fn device(&self, device: DeviceIndex) -> &Device {
        &self.history.devices[device]
    }

    /// Whether what stands at a seq of a conversation is a super group's, and in its log alone.
    pub(super) fn is_super(&self, conversation: Conversation, seq: u64) -> bool {
        let log = self.timeline(Place::Log(conversation));
        let after = log.and_then(|log| log.super_after);
        after.is_some_and(|after| seq > after)
    }

    /// The same of a message that was acknowledged: by where it stands, or else by what was said of it.
    pub(super) fn is_in_log_alone(&self, message: &Sending) -> bool {
        let stands = self.seqs(message.token, Place::Log(message.to)).next();
        let told = || message.answer().map(|answer| answer.conversation_seq);
        let seq = stands.or_else(told);
        seq.is_some_and(|seq| self.is_super(message.to, seq))
    }

    /// The groups that are, or have become, super groups.
    pub(super) fn super_groups(&self) -> impl Iterator<Item = GroupId> {
        self.timelines().filter_map(|(place, timeline)| match place {
            Place::Log(Conversation::Group(group)) if timeline.super_after.is_some() => Some(group),
            _ => None,
        })
    }

    /// The timelines, each with what it is.
    pub(super) fn timelines(&self) -> impl Iterator<Item = (Place, &'a Timeline)> {
        self.timelines.iter().map(|(place, timeline)| (*place, *timeline))
    }

    /// A timeline, if anything was ever reserved in it.
    pub(super) fn timeline(&self, place: Place) -> Option<&'a Timeline> {
        self.timelines.get(&place).copied()
    }

    /// The seqs at which a message stands in a timeline, ascending.
    pub(super) fn seqs(&self, token: Token, place: Place) -> impl Iterator<Item = u64> {
        let places = self.places.get(&token).map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .filter(move |stand| stand.place == place)
            .map(|stand| stand.seq)
    }

    /// Whether a message stands in a timeline.
    pub(super) fn stands(&self, token: Token, place: Place) -> bool {
        self.seqs(token, place).next().is_some()
    }

    /// What stands at a seq of a conversation's log.
    pub(super) fn logged(&self, conversation: Conversation, seq: u64) -> Option<&'a Slot> {
        self.timeline(Place::Log(conversation))?.slots.get(&seq)
    }

    /// Until when a message may have taken its place: until it was acknowledged, or until now. `None`: that is not over, so that
    /// nothing can be said yet.
    pub(super) fn accepted_by(&self, message: &Sending) -> Option<Moment> {
        match message.acknowledged() {
            Some(at) => Some(at),
            None if self.is_settled() => Some(self.history.records.len()),
            None => None,
        }
    }

    /// Whether the inbox hands on what stands in it there: of a super group, only what the user becomes and ceases to be, and that it
    /// became one.
    pub(super) fn is_for_inbox(&self, user: UserId, said: &Said) -> bool {
        !self.is_super(said.conversation, said.conversation_seq)
            || setting(said) == Some((Setting::Super, true))
            || about(said).iter().any(|(whom, _)| *whom == user)
    }

    /// Whether a message may have a copy in an inbox: of a super group, only what tells something of the user.
    pub(super) fn may_be_copied(&self, user: UserId, said: &Said) -> bool {
        let names = said.change.as_ref().is_some_and(|(_, users)| users.contains(&user));
        names || self.is_for_inbox(user, said)
    }

    /// Whether a message was sent only after everybody was to have everything.
    pub(super) fn is_after_settling(&self, said: &Said) -> bool {
        let message = said.token.and_then(|token| self.message(token));
        message.is_some_and(|message| message.begun > self.settled_at)
    }

    /// Runs a rule over all entries of all timelines.
    pub(super) fn each_entry(&self, found: &mut Found, rule: impl Fn(&mut Found, Place, u64, &'a Said)) {
        for (place, timeline) in self.timelines() {
            for (seq, said) in timeline.entries() {
                rule(found, place, seq, said);
            }
        }
    }
}

/// What a message is in its timeline; `None` of what nobody of the checker said.
pub(super) fn identity(said: &Said) -> Option<Identity> {
    match (said.token, said.conversation) {
        (Some(token), _) => Some(Identity::Message(token)),
        (None, Conversation::Group(group)) if said.change.is_some() => {
            Some(Identity::Announcement(group, said.conversation_seq))
        }
        (None, _) => None,
    }
}

/// Whom an announcement is about, as far as it makes them members or ends that.
pub(super) fn about(said: &Said) -> Vec<(UserId, Turn)> {
    let Some((kind, users)) = &said.change else {
        return Vec::new();
    };
    let all = |turn| users.iter().map(|user| (*user, turn)).collect();
    match GroupChangeType::try_from(*kind) {
        Ok(GroupChangeType::Created | GroupChangeType::MembersAdded) => all(Turn::Joins),
        Ok(GroupChangeType::MembersRemoved) => all(Turn::Leaves),
        Ok(GroupChangeType::MemberLeft) => vec![(said.sender, Turn::Leaves)],
        _ => Vec::new(),
    }
}

/// What an announcement tells of the group itself, and whether it is so or not from then on.
pub(super) fn setting(said: &Said) -> Option<(Setting, bool)> {
    let (kind, users) = said.change.as_ref()?;
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

fn messages(history: &History) -> Vec<Sending> {
    let mut messages: Vec<Sending> = Vec::new();
    let mut by_token: HashMap<Token, usize> = HashMap::new();
    for (at, record) in history.records.iter().enumerate() {
        let (What::Send { message, .. }
        | What::Acknowledged { message, .. }
        | What::Refused { message, .. }
        | What::GivenUp { message, .. }) = &record.what
        else {
            continue;
        };
        if let (What::Send { to, .. }, Some(device)) = (&record.what, record.device) {
            by_token.entry(*message).or_insert(messages.len());
            messages.push(Sending {
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
        let Some(sending) = by_token.get(message).map(|place| &mut messages[*place]) else {
            continue;
        };
        match &record.what {
            What::Acknowledged { answer, .. } => sending.answers.push((at, *answer)),
            What::Refused { code, .. } => drop(sending.refused.get_or_insert((at, *code))),
            What::GivenUp { .. } => sending.given_up = true,
            _ => {}
        }
    }
    messages
}

fn places<'a>(timelines: impl Iterator<Item = (Place, &'a Timeline)>) -> HashMap<Token, Vec<Stand>> {
    let mut places: HashMap<Token, Vec<Stand>> = HashMap::new();
    for (place, timeline) in timelines {
        for (seq, said) in timeline.entries() {
            if let Some(token) = said.token {
                places.entry(token).or_default().push(Stand { place, seq });
            }
        }
    }
    places
}
