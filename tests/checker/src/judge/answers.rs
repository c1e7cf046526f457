//! Answers: one for each message, however often it is sent, and it is true.

use super::case::{Case, Sending};
use super::{Found, Harm, Promise, Violation};
use crate::history::{Answer, Conversation, DeviceIndex, Moment, Said, Setting, What};
use crate::tables::{Place, Slot};
use std::collections::HashMap;
use wigwag_protocol::Code;

pub(super) fn judge(case: &Case<'_>, found: &mut Found) {
    let busy = Busy::of(case);
    for message in &case.messages {
        one_answer(message, found);
        is_answered_as_it_stands(case, message, found);
        is_not_refused_after(&busy, message, found);
        is_not_refused_wrongly(case, message, found);
        if case.is_settled() {
            is_answered(&busy, message, found);
        }
    }
}

/// When each device began its messages, and when it forgot them.
struct Busy {
    sends: HashMap<DeviceIndex, Vec<Moment>>,
    installs: HashMap<DeviceIndex, Vec<Moment>>,
}

impl Busy {
    fn of(case: &Case<'_>) -> Self {
        let (mut sends, mut installs) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (at, record) in case.history.records.iter().enumerate() {
            let Some(device) = record.device else { continue };
            match record.what {
                What::Send { .. } => sends.entry(device).or_default().push(at),
                What::Installed => installs.entry(device).or_default().push(at),
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

    fn forgot(&self, message: &Sending) -> bool {
        let installs = self.installs.get(&message.device).map_or(&[][..], Vec::as_slice);
        installs.last().is_some_and(|at| *at > message.begun)
    }
}

fn one_answer(message: &Sending, found: &mut Found) {
    let Some((_, first)) = message.answers.first() else {
        return;
    };
    if let Some((_, other)) = message.answers.iter().find(|(_, answer)| answer != first) {
        let text = format!(
            "{} was answered {}, and later {}",
            message.token,
            told(first),
            told(other)
        );
        found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
    }
}

/// Whether the seqs of the first answer are those where the message stands. Where it does not stand at all, it is lost.
fn is_answered_as_it_stands(case: &Case<'_>, message: &Sending, found: &mut Found) {
    let Some(answer) = message.answer() else { return };
    let log = Place::Log(message.to);
    let own = Place::Inbox(message.sender);
    let logged = case.seqs(message.token, log).collect::<Vec<_>>();
    let kept = case.seqs(message.token, own).collect::<Vec<_>>();
    let is_true = |said: u64, stands: &[u64]| stands.is_empty() || stands.contains(&said);
    let wrong = if !is_true(answer.conversation_seq, &logged) {
        format!("it is {logged:?} of {}", log.key())
    } else if case.is_in_log_alone(message) && answer.seq != 0 {
        "a super group is in no inbox".to_owned()
    } else if !case.is_in_log_alone(message) && !is_true(answer.seq, &kept) {
        format!("it is {kept:?} of {}", own.key())
    } else if let Some(said) = numbered_otherwise(case, message, answer) {
        format!("it is number {} of session {}", said.client_id, said.session)
    } else {
        return;
    };
    let text = format!("{} was answered {}, but {wrong}", message.token, told(answer));
    found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
}

/// What the log says of it, where that has another number.
fn numbered_otherwise<'a>(case: &Case<'a>, message: &Sending, answer: &Answer) -> Option<&'a Said> {
    match case.logged(message.to, answer.conversation_seq)? {
        Slot::Entry(said) if said.token == Some(message.token) => {
            ((said.session, said.client_id) != (answer.session, answer.client_id)).then_some(said)
        }
        _ => None,
    }
}

/// A repeat of what was accepted is answered as it was, unless something newer was sent.
fn is_not_refused_after(busy: &Busy, message: &Sending, found: &mut Found) {
    let (Some(acknowledged), Some((refused, code))) = (message.acknowledged(), message.refused) else {
        return;
    };
    if refused > acknowledged && !busy.moved_on(message.device, message.begun, refused) {
        let text = format!(
            "{} was acknowledged, and refused with {code} when it was repeated",
            message.token
        );
        found.push(Violation::new(Promise::G5, Harm::Other, text).with(Some(message.token)));
    }
}

/// Who is a member may send, unless the group has ended, or it or they are muted.
fn is_not_refused_wrongly(case: &Case<'_>, message: &Sending, found: &mut Found) {
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
        Some(Code::GROUP_DISSOLVED) if never(Setting::Dissolved) => "was in a group that had not ended",
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

fn is_answered(busy: &Busy, message: &Sending, found: &mut Found) {
    let is_open = message.answers.is_empty() && message.refused.is_none() && !message.given_up;
    if is_open && !busy.forgot(message) {
        let text = format!("{} to {} was never answered", message.token, message.to);
        let violation = Violation::new(Promise::Answered, Harm::Other, text);
        found.push(violation.with(Some(message.token)).on(message.device));
    }
}

fn told(answer: &Answer) -> String {
    let Answer {
        session,
        client_id,
        seq,
        conversation_seq,
        send_time_ms,
    } = answer;
    format!("number {client_id} of {session}: own seq {seq}, conversation seq {conversation_seq}, at {send_time_ms} ms")
}
