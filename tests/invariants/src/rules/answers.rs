//! G5, and that messages are answered: a message has one answer, however often it is sent, and the
//! answer is true.

use crate::case::{Case, SentMessage};
use crate::history::{DeviceIndex, Event, Moment, Setting};
use crate::message::{Answer, Conversation, Observed};
use crate::tables::{Row, TimelineKey};
use crate::violation::{Harm, Promise, Violation};
use std::collections::HashMap;
use wigwag_protocol::Code;

/// Checks the answers to all messages.
pub fn check(case: &Case<'_>, found: &mut Vec<Violation>) {
    let activity = Activity::new(case);
    for message in &case.messages {
        has_one_answer(message, found);
        has_true_answer(case, message, found);
        is_not_refused_after(&activity, message, found);
        is_not_refused_wrongly(case, message, found);
        if case.is_settled() {
            is_answered(&activity, message, found);
        }
    }
}

/// When each device began its messages, and when it forgot them.
struct Activity {
    sends: HashMap<DeviceIndex, Vec<Moment>>,
    installs: HashMap<DeviceIndex, Vec<Moment>>,
}

impl Activity {
    fn new(case: &Case<'_>) -> Self {
        let (mut sends, mut installs) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, record) in case.history.records.iter().enumerate() {
            let Some(device) = record.device else { continue };
            match record.event {
                Event::Send { .. } => sends.entry(device).or_default().push(at),
                Event::Installed => installs.entry(device).or_default().push(at),
                _ => {}
            }
        }
        Self { sends, installs }
    }

    /// Whether the device sent another message, or forgot this one, between the two.
    fn moved_on(&self, device: DeviceIndex, after: Moment, before: Moment) -> bool {
        [&self.sends, &self.installs].into_iter().any(|moments| {
            let moments = moments.get(&device).map_or(&[][..], Vec::as_slice);
            let next = moments.partition_point(|at| *at <= after);
            moments.get(next).is_some_and(|at| *at < before)
        })
    }

    fn forgot(&self, message: &SentMessage) -> bool {
        let installs = self.installs.get(&message.device).map_or(&[][..], Vec::as_slice);
        installs.last().is_some_and(|at| *at > message.begun)
    }
}

fn has_one_answer(message: &SentMessage, found: &mut Vec<Violation>) {
    let Some((_, first)) = message.answers.first() else {
        return;
    };
    if let Some((_, other)) = message.answers.iter().find(|(_, answer)| answer != first) {
        let text = format!(
            "{} was answered {}, and later {}",
            message.token,
            describe(first),
            describe(other)
        );
        found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
    }
}

/// The first answer names the seqs at which the message is stored. One that is not stored at all is
/// lost, which is reported by itself.
fn has_true_answer(case: &Case<'_>, message: &SentMessage, found: &mut Vec<Violation>) {
    let Some(answer) = message.answer() else { return };
    let log = TimelineKey::Log(message.to);
    let own = TimelineKey::Inbox(message.sender);
    let logged = case.seqs(message.token, log).collect::<Vec<_>>();
    let kept = case.seqs(message.token, own).collect::<Vec<_>>();
    let is_true = |answered: u64, stored: &[u64]| stored.is_empty() || stored.contains(&answered);
    let wrong = if !is_true(answer.conversation_seq, &logged) {
        format!("it is {logged:?} of {log}")
    } else if case.is_in_log_alone(message) && answer.seq != 0 {
        "a super group is in no inbox".to_owned()
    } else if !case.is_in_log_alone(message) && !is_true(answer.seq, &kept) {
        format!("it is {kept:?} of {own}")
    } else if let Some(logged) = with_another_number(case, message, answer) {
        format!("it is number {} of session {}", logged.client_id, logged.session)
    } else {
        return;
    };
    let text = format!("{} was answered {}, but {wrong}", message.token, describe(answer));
    found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
}

/// The message in the log, if it has another number there than in the answer.
fn with_another_number<'a>(case: &Case<'a>, message: &SentMessage, answer: &Answer) -> Option<&'a Observed> {
    match case.logged(message.to, answer.conversation_seq)? {
        Row::Entry(logged) if logged.token == Some(message.token) => {
            ((logged.session, logged.client_id) != (answer.session, answer.client_id)).then_some(logged)
        }
        _ => None,
    }
}

/// A repeat of an accepted message gets the first answer, unless the device sent something newer.
fn is_not_refused_after(activity: &Activity, message: &SentMessage, found: &mut Vec<Violation>) {
    let (Some(acknowledged), Some((refused, code))) = (message.acknowledged(), message.refused) else {
        return;
    };
    if refused > acknowledged && !activity.moved_on(message.device, message.begun, refused) {
        let text = format!(
            "{} was acknowledged, and refused with {code} when it was repeated",
            message.token
        );
        found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
    }
}

/// A member may send, unless the group is dissolved, or it or the member is muted.
fn is_not_refused_wrongly(case: &Case<'_>, message: &SentMessage, found: &mut Vec<Violation>) {
    let (Some((refused, code)), Conversation::Group(group)) = (message.refused, message.to) else {
        return;
    };
    let (sender, from) = (message.sender, message.begun);
    let never = |setting| !case.settings.possibly(group, setting, from, refused);
    let always = |setting| case.settings.surely(group, setting, from, refused);
    let ranks = Setting::Ranks(sender);
    let although = match i32::try_from(code).ok().and_then(Code::from_number) {
        Some(Code::NOT_A_MEMBER | Code::GROUP_NOT_FOUND) if case.members.surely(group, sender, from, refused) => {
            "was a member"
        }
        Some(Code::GROUP_DISSOLVED) if never(Setting::Dissolved) => "was in a group that was not dissolved",
        Some(Code::MEMBER_MUTED) if never(Setting::MemberMuted(sender)) => "was not muted",
        Some(Code::GROUP_MUTED) if never(Setting::Muted) => "was in a group that was not muted",
        Some(Code::GROUP_MUTED) if always(ranks) => "was its owner or an admin",
        _ => return,
    };
    let text = format!(
        "{} to g{group} was refused with {code} although u{sender} {although}",
        message.token
    );
    found.push(Violation::new(Promise::Answered, Harm::Other, text).with(Some(message.token)));
}

fn is_answered(activity: &Activity, message: &SentMessage, found: &mut Vec<Violation>) {
    let is_open = message.answers.is_empty() && message.refused.is_none() && !message.given_up;
    if is_open && !activity.forgot(message) {
        let text = format!("{} to {} was never answered", message.token, message.to);
        let violation = Violation::new(Promise::Answered, Harm::Other, text);
        found.push(violation.with(Some(message.token)).on(message.device));
    }
}

fn describe(answer: &Answer) -> String {
    let Answer {
        session,
        client_id,
        seq,
        conversation_seq,
        send_time_ms,
    } = answer;
    format!("number {client_id} of {session}: own seq {seq}, conversation seq {conversation_seq}, at {send_time_ms} ms")
}
