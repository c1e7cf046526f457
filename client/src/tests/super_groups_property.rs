//! A random history of a super group, delivered in random order: each message is delivered once.

use super::*;
use proptest::prelude::*;

/// What happens in a super group from the view of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogEvent {
    Text,
    /// A change about another user.
    OfOthers,
    /// A change about this user that is neither a join nor a leave.
    Role,
    /// The user joins, or leaves if they are a member.
    JoinOrLeave,
    /// A seal.
    Seal,
}

fn entry() -> impl Strategy<Value = LogEvent> {
    prop_oneof![
        6 => Just(LogEvent::Text),
        1 => Just(LogEvent::OfOthers),
        1 => Just(LogEvent::Role),
        2 => Just(LogEvent::JoinOrLeave),
        1 => Just(LogEvent::Seal),
    ]
}

/// How the group begins for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// It is created as a super group with this user in it.
    Created,
    /// This user is added to a super group.
    Added,
    /// This user is a member of a group that becomes one.
    Became,
}

/// A model of the server: a log, and the part of it that one user may read.
#[derive(Debug)]
struct ServerModel {
    /// Messages by seq, from 1 on. `None` is a seal.
    log: Vec<Option<Message>>,
    /// First and last seq of each membership interval. The last one may be open.
    intervals: Vec<(u64, Option<u64>)>,
    /// The seq after which it is a super group.
    super_after: u64,
    is_dissolved: bool,
}

impl ServerModel {
    fn new(begin: Beginning, entries: &[LogEvent], is_dissolved: bool) -> Self {
        let (before, first) = match begin {
            Beginning::Created => (0, change(1, GroupChangeType::Created, &[ME])),
            Beginning::Added => (2, change(3, GroupChangeType::MembersAdded, &[ME])),
            Beginning::Became => (3, change(4, GroupChangeType::BecameSuper, &[])),
        };
        let mut server = Self {
            log: (1..=before).map(text).map(Some).collect(),
            intervals: vec![(if begin == Beginning::Became { 1 } else { before + 1 }, None)],
            super_after: if begin == Beginning::Became { before } else { 0 },
            is_dissolved,
        };
        server.log.push(Some(first));
        for entry in entries {
            let seq = server.log.len() as u64 + 1;
            let interval = server.intervals.last_mut().unwrap();
            server.log.push(match entry {
                LogEvent::Text => Some(text(seq)),
                LogEvent::OfOthers => Some(change(seq, GroupChangeType::MembersAdded, &[BOB])),
                LogEvent::Role if interval.1.is_none() => Some(change(seq, GroupChangeType::Role, &[ME])),
                LogEvent::JoinOrLeave if interval.1.is_none() => {
                    interval.1 = Some(seq);
                    Some(change(seq, GroupChangeType::MembersRemoved, &[ME]))
                }
                LogEvent::JoinOrLeave => {
                    server.intervals.push((seq, None));
                    Some(change(seq, GroupChangeType::MembersAdded, &[ME]))
                }
                LogEvent::Role | LogEvent::Seal => None,
            });
        }
        if is_dissolved {
            let seq = server.log.len() as u64 + 1;
            server.log.push(Some(change(seq, GroupChangeType::Dissolved, &[])));
            server.log.push(None); // a send that was refused
        }
        let super_after = server.super_after;
        for message in server.log.iter_mut().flatten() {
            if let Some(change) = &mut message.group_change {
                change.super_after = super_after;
            }
        }
        server
    }

    fn at(&self, seq: u64) -> Option<&Message> {
        self.log[usize::try_from(seq).unwrap() - 1].as_ref()
    }

    /// The ranges that the user may read, when the log ends at this seq.
    fn readable(&self, upto: u64) -> Vec<(u64, u64)> {
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        for (first, last) in &self.intervals {
            let last = last.unwrap_or(upto).min(upto);
            match pieces.last_mut() {
                Some(before) if *first <= before.1 + 1 => before.1 = before.1.max(last),
                _ if *first <= last => pieces.push((*first, last)),
                _ => {}
            }
        }
        pieces
    }

    /// Answers PULL, when the log ends at this seq.
    fn page(&self, begin: u64, limit: usize, upto: u64) -> PullOutputMsg {
        let pieces = self.readable(upto);
        let max_seq = pieces.last().map_or(0, |piece| piece.1);
        let is_in = self
            .intervals
            .iter()
            .any(|(first, last)| *first <= upto && last.is_none_or(|last| last > upto));
        let is_over = !is_in || (self.is_dissolved && upto == self.log.len() as u64);
        let mut wanted = pieces.iter().filter(|piece| piece.1 >= begin);
        let Some((first, last)) = wanted.next().copied() else {
            return PullOutputMsg {
                ended: is_over,
                ..page(vec![], max_seq)
            };
        };
        let first = first.max(begin);
        let end = last.min(first + limit as u64 - 1);
        let next_seq = if end < last {
            end + 1
        } else {
            wanted.next().map_or(0, |piece| piece.0)
        };
        PullOutputMsg {
            has_more: next_seq > 0,
            next_seq,
            ended: is_over && next_seq == 0,
            ..page((first..=end).filter_map(|seq| self.at(seq)).cloned().collect(), max_seq)
        }
    }

    /// The messages that are copied into the user's inbox.
    fn inbox(&self) -> Vec<Message> {
        let is_copied = |message: &&Message| {
            message
                .group_change
                .as_ref()
                .is_some_and(|change| change.user_ids.contains(&ME) || change.r#type() == GroupChangeType::BecameSuper)
        };
        self.log.iter().flatten().filter(is_copied).cloned().collect()
    }

    /// The seqs of all messages for this user that an ordinary group did not copy into the inbox.
    fn theirs(&self) -> Vec<u64> {
        let pieces = self.readable(self.log.len() as u64);
        let seqs = pieces.into_iter().flat_map(|(first, last)| first..=last);
        seqs.filter(|seq| *seq > self.super_after && self.at(*seq).is_some())
            .collect()
    }
}

/// A model of an app, with its stored cursors.
struct AppModel {
    groups: SuperGroups,
    closing: Duration,
    cursor: Option<u64>,
    ended: Option<u64>,
    out: Vec<u64>,
}

impl AppModel {
    fn new(closing: Duration) -> Self {
        let (cursor, ended) = (None, None);
        let groups = SuperGroups::new(ME, rules(closing), &BTreeMap::new(), &BTreeMap::new());
        Self {
            groups,
            closing,
            cursor,
            ended,
            out: Vec::new(),
        }
    }

    fn restart(&mut self) {
        let kept = |cursor: Option<u64>| cursor.map(|cursor| (GROUP, cursor)).into_iter().collect();
        self.groups = SuperGroups::new(ME, rules(self.closing), &kept(self.cursor), &kept(self.ended));
    }

    fn inboxed(&mut self, message: &Message) {
        let inboxed = self.groups.inboxed(message, now());
        if inboxed.begins_after.is_some() {
            (self.cursor, self.ended) = (inboxed.begins_after, None);
        }
        if inboxed.by_inbox {
            self.out.push(message.conversation_seq);
        }
        self.end_if_over();
    }

    fn pushed(&mut self, message: &Message) {
        let ready = self.groups.push(message.clone(), now(), Duration::ZERO);
        self.handed_on(&ready.unwrap_or_default());
    }

    fn paged(&mut self, page: PullOutputMsg) {
        let ready = self.groups.page(GROUP, page, now()).0;
        self.handed_on(&ready);
    }

    fn handed_on(&mut self, ready: &[Message]) {
        self.out.extend(seqs(ready));
        self.cursor = self.groups.cursor(GROUP).or(self.cursor);
        self.end_if_over();
    }

    fn end_if_over(&mut self) {
        if self.groups.is_over(GROUP) {
            (self.cursor, self.ended) = (None, self.groups.drop_group(GROUP));
        }
    }
}

proptest! {
    /// Pushes in any order, with pages in between, some of them read earlier. Inbox copies at any
    /// time, one of them late. The process may end at any time, with the cursors stored as the
    /// events said. A group closes at once or never. Each message must be delivered once.
    #[test]
    fn each_message_is_delivered_once_whichever_way_comes_first(
        begin in prop_oneof![Just(Beginning::Created), Just(Beginning::Added), Just(Beginning::Became)],
        entries in prop::collection::vec(entry(), 0..30),
        is_dissolved: bool,
        closes: bool,
        late in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
        arrivals in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 0..80),
    ) {
        let server = ServerModel::new(begin, &entries, is_dissolved);
        let end = server.log.len() as u64;
        let mut inbox = server.inbox();
        if let Some((which, to)) = late {
            let which = which.index(inbox.len());
            let to = which + to.index(inbox.len() - which);
            let copy = inbox.remove(which);
            inbox.insert(to, copy);
        }
        let mut inbox = inbox.iter();
        let mut app = AppModel::new(if closes { Duration::ZERO } else { CLOSING });
        // The end of the server's log, which includes everything that the app was told.
        let mut upto = 1;
        // A page that has not arrived yet.
        let mut late_page = None;
        for (index, kind) in arrivals {
            upto = upto.max(1 + index.index(server.log.len()) as u64).min(end);
            match kind {
                0 => {
                    let seq = 1 + index.index(usize::try_from(upto).unwrap()) as u64;
                    let is_theirs = server.theirs().contains(&seq);
                    if let Some(message) = server.at(seq).filter(|_| is_theirs) {
                        app.pushed(message);
                    }
                }
                1 => if let Some(cursor) = app.groups.cursor(GROUP) {
                    app.paged(server.page(cursor + 1, 1 + index.index(6), upto));
                },
                2 | 3 => if let Some(message) = inbox.next() {
                    upto = upto.max(message.conversation_seq);
                    app.inboxed(message);
                },
                4 => {
                    if let Some(page) = late_page.take() {
                        app.paged(page);
                    } else if let Some(cursor) = app.groups.cursor(GROUP) {
                        late_page = Some(server.page(cursor + 1, 1 + index.index(6), upto));
                    }
                }
                _ => {
                    app.restart();
                    late_page = None;
                }
            }
        }
        for message in inbox {
            app.inboxed(message);
        }
        for _ in 0..end {
            let Some(cursor) = app.groups.cursor(GROUP) else { break };
            app.paged(server.page(cursor + 1, 7, end));
        }
        app.out.sort_unstable();
        prop_assert_eq!(app.out, server.theirs());
        let is_over = is_dissolved || server.intervals.last().unwrap().1.is_some();
        if closes {
            prop_assert_eq!(app.groups.contains(GROUP), !is_over);
        }
    }
}
