//! Which message comes by which way, and that none comes by both.

use super::*;
use proptest::prelude::*;
use wigwag_protocol::pb::GroupChange;

const ME: u64 = 1;
const BOB: u64 = 2;
const GROUP: u64 = 9;

fn text(seq: u64) -> Message {
    Message {
        session_type: SessionType::Group.into(),
        receiver_id: GROUP,
        sender_id: BOB,
        conversation_seq: seq,
        ..Message::default()
    }
}

fn change(seq: u64, kind: GroupChangeType, user_ids: &[u64]) -> Message {
    Message {
        group_change: Some(GroupChange {
            r#type: kind.into(),
            user_ids: user_ids.to_vec(),
            super_group: true,
            ..GroupChange::default()
        }),
        ..text(seq)
    }
}

/// How long a group is closing.
const CLOSING: Duration = Duration::from_mins(6);

fn rules(closing: Duration) -> Rules {
    Rules {
        ahead_limit: 5,
        closing,
        inbox_tells_all: true,
    }
}

fn none() -> SuperGroups {
    SuperGroups::new(ME, rules(CLOSING), &BTreeMap::new(), &BTreeMap::new())
}

fn following(cursor: u64) -> SuperGroups {
    SuperGroups::new(ME, rules(CLOSING), &BTreeMap::from([(GROUP, cursor)]), &BTreeMap::new())
}

/// Followed once, up to this seq.
fn ended(cursor: u64) -> SuperGroups {
    SuperGroups::new(ME, rules(CLOSING), &BTreeMap::new(), &BTreeMap::from([(GROUP, cursor)]))
}

fn now() -> Instant {
    Instant::now()
}

fn push(groups: &mut SuperGroups, message: Message) -> Option<Vec<u64>> {
    let ready = groups.push(message, now(), Duration::ZERO)?;
    Some(seqs(&ready))
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.conversation_seq).collect()
}

/// Where the inbox's message makes the client follow the group from, and whether it is handed on.
fn inboxed(groups: &mut SuperGroups, message: &Message) -> (Option<u64>, bool) {
    let inboxed = groups.inboxed(message, now());
    (inboxed.begins_after, inboxed.is_handed_on)
}

/// A page that goes to the end of what there is.
fn page(messages: Vec<Message>, max_seq: u64) -> PullOutputMsg {
    PullOutputMsg {
        messages,
        max_seq,
        ..PullOutputMsg::default()
    }
}

/// The same, and there will not be more.
fn last_page(messages: Vec<Message>, max_seq: u64) -> PullOutputMsg {
    PullOutputMsg {
        ended: true,
        ..page(messages, max_seq)
    }
}

fn read(groups: &mut SuperGroups, page: PullOutputMsg) -> Vec<u64> {
    seqs(&groups.page(GROUP, page, now()).0)
}

fn is_asked_for(groups: &SuperGroups) -> bool {
    groups.next_due().is_some_and(|(_, at)| at <= now())
}

/// A group that became a super group with 10, as of 9, and what is said about this user in it.
fn became() -> Message {
    in_converted(change(10, GroupChangeType::BecameSuper, &[]))
}

fn in_converted(mut message: Message) -> Message {
    if let Some(change) = &mut message.group_change {
        change.super_after = 9;
    }
    message
}

#[test]
fn a_group_begins_with_the_change_that_brings_this_user_in() {
    for kind in [GroupChangeType::Created, GroupChangeType::MembersAdded] {
        let mut groups = none();
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB])), (None, true));
        assert_eq!(push(&mut groups, text(5)), None, "not followed yet");
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB, ME])), (Some(4), true));
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB, ME])), (None, true), "once");
        assert_eq!(push(&mut groups, text(5)), Some(vec![5]));
    }
}

#[test]
fn a_group_begins_where_it_became_a_super_group() {
    let mut groups = none();
    assert_eq!(inboxed(&mut groups, &became()), (Some(9), true));
    // The telling of it is not handed on again; what was sent before that is in the log alone.
    assert_eq!(push(&mut groups, became()), Some(vec![]));
    assert_eq!(push(&mut groups, text(11)), Some(vec![11]));
}

#[test]
fn changes_of_groups_that_are_no_super_groups_come_by_the_inbox_alone() {
    let mut groups = none();
    let mut added = change(4, GroupChangeType::MembersAdded, &[ME]);
    added.group_change.as_mut().unwrap().super_group = false;
    assert_eq!(inboxed(&mut groups, &added), (None, true));
    assert!(!groups.contains(GROUP));
}

#[test]
fn other_changes_come_by_the_log_whichever_copy_is_first() {
    let role = change(6, GroupChangeType::Role, &[ME]);
    let mut groups = following(5);
    assert_eq!(inboxed(&mut groups, &role), (None, false));
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    let mut groups = following(5);
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    assert_eq!(inboxed(&mut groups, &role), (None, false));
}

/// Copies about a user travel by another line than those of the message that a group became a super group.
#[test]
fn what_is_told_before_the_group_became_a_super_group_loses_and_doubles_nothing() {
    let role = in_converted(change(11, GroupChangeType::Role, &[ME]));
    let mut groups = none();
    assert_eq!(inboxed(&mut groups, &role), (Some(9), false));
    assert_eq!(inboxed(&mut groups, &became()), (None, true));
    assert_eq!(read(&mut groups, page(vec![became(), role], 11)), [11]);

    let removed = in_converted(change(12, GroupChangeType::MembersRemoved, &[ME]));
    let back = in_converted(change(13, GroupChangeType::MembersAdded, &[ME]));
    let mut groups = none();
    assert_eq!(inboxed(&mut groups, &removed), (Some(9), true));
    assert_eq!(inboxed(&mut groups, &back), (None, true));
    assert_eq!(inboxed(&mut groups, &became()), (None, true));
    let all = vec![became(), text(11), removed, back, text(14)];
    assert_eq!(read(&mut groups, page(all, 14)), [11, 14]);
}

/// Who begins near the end of the inbox wants nothing of what was before.
#[test]
fn where_the_inbox_does_not_tell_all_only_a_coming_begins_a_group() {
    let rules = Rules {
        inbox_tells_all: false,
        ..rules(CLOSING)
    };
    let mut groups = SuperGroups::new(ME, rules, &BTreeMap::new(), &BTreeMap::new());
    let role = change(6, GroupChangeType::Role, &[ME]);
    assert_eq!(inboxed(&mut groups, &role), (None, true));
    let added = change(7, GroupChangeType::MembersAdded, &[ME]);
    assert_eq!(inboxed(&mut groups, &added), (Some(7), true));
}

#[test]
fn a_group_ends_once_everything_before_the_end_was_read() {
    let mut groups = following(5);
    let removed = change(8, GroupChangeType::MembersRemoved, &[BOB, ME]);
    assert_eq!(inboxed(&mut groups, &removed), (None, true));
    assert!(!groups.is_over(GROUP) && is_asked_for(&groups));
    let all = vec![text(6), text(7), removed];
    assert_eq!(
        read(&mut groups, last_page(all, 8)),
        [6, 7],
        "the inbox has handed 8 on"
    );
    assert!(groups.is_over(GROUP));
    assert_eq!(groups.drop_group(GROUP), Some(8));
}

#[test]
fn a_going_that_the_inbox_tells_of_after_the_log_is_asked_about() {
    let left = Message {
        sender_id: ME,
        ..change(6, GroupChangeType::MemberLeft, &[])
    };
    let mut groups = following(5);
    assert_eq!(push(&mut groups, left.clone()), Some(vec![]));
    assert!(!is_asked_for(&groups));
    assert_eq!(inboxed(&mut groups, &left), (None, true));
    assert!(is_asked_for(&groups) && !groups.is_over(GROUP));
    read(&mut groups, last_page(vec![], 6));
    assert!(groups.is_over(GROUP));
}

/// Asks with every heartbeat that wants it, for an hour. Answers how often it asked until the group was over.
async fn heartbeats(groups: &mut SuperGroups, page: impl Fn() -> PullOutputMsg) -> Option<u32> {
    let mut asked = 0;
    for _ in 0..15 {
        tokio::time::advance(Duration::from_mins(4)).await;
        groups.look_for_lost(now(), Duration::from_mins(6));
        if groups.next_due().is_some() {
            groups.page(GROUP, page(), now());
            asked += 1;
        }
        if groups.is_over(GROUP) {
            return Some(asked);
        }
    }
    None
}

/// Whether the process was there when it ended, or is told of nothing but the end; and where sends that are refused have raised the
/// counter.
#[tokio::test(start_paused = true)]
async fn a_group_that_was_dissolved_or_left_is_asked_for_no_longer_after_a_while() {
    for kind in [GroupChangeType::Dissolved, GroupChangeType::MembersRemoved] {
        for told in [true, false] {
            let max_seq = if kind == GroupChangeType::Dissolved { 9 } else { 7 };
            let mut groups = following(if told { 5 } else { 7 });
            groups.connected(now());
            let rest = if told {
                vec![text(6), change(7, kind, &[ME])]
            } else {
                vec![]
            };
            groups.page(GROUP, last_page(rest, max_seq), now());
            assert!(!groups.is_over(GROUP), "the inbox has not told of it");
            let asked = heartbeats(&mut groups, || last_page(vec![], max_seq)).await;
            assert_eq!(asked, Some(1), "{kind:?} {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_end_was_pushed_is_asked_once_whether_it_is_over() {
    let mut groups = following(5);
    groups.connected(now());
    groups.page(GROUP, page(vec![], 5), now());
    let dissolved = change(6, GroupChangeType::Dissolved, &[]);
    assert_eq!(push(&mut groups, dissolved), Some(vec![6]));
    // The first answer begins the time that the server has known it for.
    let asked = heartbeats(&mut groups, || last_page(vec![], 8)).await;
    assert_eq!(asked, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_the_end_while_the_group_is_closing_counts_by_push_and_by_page() {
    for by_push in [true, false] {
        let mut groups = following(6);
        groups.connected(now());
        let dissolved = change(7, GroupChangeType::Dissolved, &[]);
        assert_eq!(read(&mut groups, last_page(vec![dissolved], 7)), [7]);
        // Claimed before the end, and finished by a repeat.
        if by_push {
            assert_eq!(push(&mut groups, text(8)), Some(vec![8]));
            assert_eq!(heartbeats(&mut groups, || last_page(vec![], 8)).await, Some(1));
        } else {
            tokio::time::advance(CLOSING).await;
            groups.look_for_lost(now(), CLOSING);
            assert!(is_asked_for(&groups));
            assert_eq!(read(&mut groups, last_page(vec![text(8)], 8)), [8]);
            assert!(groups.is_over(GROUP));
        }
    }
}

/// The announcement stands before the stay is closed: until then the log goes on, for pushes as for pages.
#[tokio::test(start_paused = true)]
async fn what_was_read_behind_the_users_own_going_does_not_keep_them() {
    for by_push in [true, false] {
        let mut groups = following(5);
        let removed = change(7, GroupChangeType::MembersRemoved, &[ME]);
        if by_push {
            push(&mut groups, text(6));
            push(&mut groups, removed.clone());
            assert_eq!(push(&mut groups, text(8)), Some(vec![8]));
            // One whose push was lost.
            assert_eq!(push(&mut groups, text(10)), Some(vec![]));
        } else {
            let all = vec![text(6), removed.clone(), text(8)];
            assert_eq!(read(&mut groups, page(all, 10)), [6, 8]);
        }
        assert_eq!(inboxed(&mut groups, &removed), (None, true));
        assert!(is_asked_for(&groups));
        let (_, is_current) = groups.page(GROUP, last_page(vec![], 7), now());
        assert!(is_current && groups.is_over(GROUP), "there is nothing more to ask for");
    }
}

#[test]
fn who_went_and_came_back_goes_on_whatever_is_told_first() {
    let removed = change(7, GroupChangeType::MembersRemoved, &[ME]);
    let added = change(12, GroupChangeType::MembersAdded, &[ME]);
    // What the inbox tells before the log is read; the rest is told after it.
    for told in 0..=2 {
        let mut groups = following(5);
        let changes = [&removed, &added];
        for change in &changes[..told] {
            assert_eq!(inboxed(&mut groups, change), (None, true));
        }
        let first = PullOutputMsg {
            has_more: true,
            next_seq: 12,
            ..page(vec![text(6), removed.clone()], 13)
        };
        assert_eq!(read(&mut groups, first), [6]);
        assert!(!groups.is_over(GROUP) && is_asked_for(&groups));
        let second = page(vec![added.clone(), text(13)], 13);
        assert_eq!(read(&mut groups, second), [13], "the inbox hands 12 on");
        for change in &changes[told..] {
            assert_eq!(inboxed(&mut groups, change), (None, true));
        }
        assert!(!groups.is_over(GROUP));
        assert_eq!(push(&mut groups, text(14)), Some(vec![14]));
    }
}

#[test]
fn a_page_that_was_read_before_the_user_came_back_does_not_end_the_group() {
    let mut groups = following(7);
    inboxed(&mut groups, &change(7, GroupChangeType::MembersRemoved, &[ME]));
    inboxed(&mut groups, &change(12, GroupChangeType::MembersAdded, &[ME]));
    let (_, is_current) = groups.page(GROUP, last_page(vec![], 7), now());
    assert!(!is_current && !groups.is_over(GROUP));
    assert!(groups.next_due().is_some(), "12 is missing");
}

#[test]
fn a_going_that_the_inbox_tells_of_after_the_coming_that_followed_it_ends_nothing() {
    let mut groups = none();
    inboxed(&mut groups, &change(3, GroupChangeType::MembersAdded, &[ME]));
    inboxed(&mut groups, &change(12, GroupChangeType::MembersAdded, &[ME]));
    inboxed(&mut groups, &change(7, GroupChangeType::MembersRemoved, &[ME]));
    let all = vec![text(4), text(13)];
    assert_eq!(read(&mut groups, page(all, 13)), [4, 13]);
    assert!(!groups.is_over(GROUP));
}

#[test]
fn what_the_inbox_tells_late_of_a_group_that_has_ended_begins_nothing() {
    let mut groups = ended(8);
    let old = [
        change(3, GroupChangeType::MembersAdded, &[ME]),
        change(8, GroupChangeType::MembersRemoved, &[ME]),
    ];
    for told in old {
        assert_eq!(inboxed(&mut groups, &told), (None, true));
    }
    let role = change(6, GroupChangeType::Role, &[ME]);
    assert_eq!(inboxed(&mut groups, &role), (None, false), "the log had handed it on");
    // What is new does, and what was read is not read again.
    let left = Message {
        sender_id: ME,
        ..change(20, GroupChangeType::MemberLeft, &[])
    };
    assert_eq!(inboxed(&mut groups, &left), (Some(8), true));
    assert_eq!(
        ended(8).begin(GROUP, 2, None),
        Some(8),
        "nor where the list tells of it"
    );
    let mut groups = ended(8);
    let added = change(12, GroupChangeType::MembersAdded, &[ME]);
    assert_eq!(inboxed(&mut groups, &added), (Some(12), true));
}

#[tokio::test(start_paused = true)]
async fn only_quiet_groups_are_looked_after() {
    let poll = Duration::from_mins(5);
    let mut groups = following(5);
    groups.connected(now());
    groups.page(GROUP, page(vec![], 5), now());
    tokio::time::advance(Duration::from_mins(4)).await;
    groups.look_for_lost(now(), poll);
    assert_eq!(groups.next_due(), None);
    push(&mut groups, text(6));
    tokio::time::advance(Duration::from_mins(4)).await;
    groups.look_for_lost(now(), poll);
    assert_eq!(groups.next_due(), None, "it was heard of four minutes ago");
    tokio::time::advance(Duration::from_mins(1)).await;
    groups.look_for_lost(now(), poll);
    assert_eq!(groups.next_due(), Some((GROUP, now())));
}

#[test]
fn members_of_a_large_group_are_more_patient() {
    for (members, times) in [(0, 1), (500, 1), (5000, 1), (5500, 2), (100_000, 20)] {
        let mut groups = following(5);
        let begin = now();
        let writing = PullOutputMsg {
            next_seq: 6,
            members,
            ..page(vec![], 7)
        };
        groups.page(GROUP, writing, begin);
        assert_eq!(groups.patience(GROUP), times);
        let pause = groups.next_due().unwrap().1 - begin;
        assert_eq!(pause, Duration::from_millis(500) * times, "something is being written");
    }
}

/// What happens in a super group, from the view of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Text,
    /// A change about somebody else.
    OfOthers,
    /// A change about this user, by which they neither come nor go.
    Role,
    /// They come, or where they are there, go.
    Turn,
    /// A seal.
    Seal,
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        6 => Just(Entry::Text),
        1 => Just(Entry::OfOthers),
        1 => Just(Entry::Role),
        2 => Just(Entry::Turn),
        1 => Just(Entry::Seal),
    ]
}

/// How it begins for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// It is made as a super group, with them in it.
    Created,
    /// They are added to a super group.
    Added,
    /// They are in a group that becomes one.
    Became,
}

/// The server: a log, and what one user may read of it.
#[derive(Debug)]
struct World {
    /// By seq, from 1 on; `None`: a seal.
    log: Vec<Option<Message>>,
    /// First and last seq of each stay; the last may last.
    stays: Vec<(u64, Option<u64>)>,
    /// Where it became a super group.
    super_after: u64,
    is_dissolved: bool,
}

impl World {
    fn new(begin: Begin, entries: &[Entry], is_dissolved: bool) -> Self {
        let (before, first) = match begin {
            Begin::Created => (0, change(1, GroupChangeType::Created, &[ME])),
            Begin::Added => (2, change(3, GroupChangeType::MembersAdded, &[ME])),
            Begin::Became => (3, change(4, GroupChangeType::BecameSuper, &[])),
        };
        let mut world = Self {
            log: (1..=before).map(text).map(Some).collect(),
            stays: vec![(if begin == Begin::Became { 1 } else { before + 1 }, None)],
            super_after: if begin == Begin::Became { before } else { 0 },
            is_dissolved,
        };
        world.log.push(Some(first));
        for entry in entries {
            let seq = world.log.len() as u64 + 1;
            let stay = world.stays.last_mut().unwrap();
            world.log.push(match entry {
                Entry::Text => Some(text(seq)),
                Entry::OfOthers => Some(change(seq, GroupChangeType::MembersAdded, &[BOB])),
                Entry::Role if stay.1.is_none() => Some(change(seq, GroupChangeType::Role, &[ME])),
                Entry::Turn if stay.1.is_none() => {
                    stay.1 = Some(seq);
                    Some(change(seq, GroupChangeType::MembersRemoved, &[ME]))
                }
                Entry::Turn => {
                    world.stays.push((seq, None));
                    Some(change(seq, GroupChangeType::MembersAdded, &[ME]))
                }
                Entry::Role | Entry::Seal => None,
            });
        }
        if is_dissolved {
            let seq = world.log.len() as u64 + 1;
            world.log.push(Some(change(seq, GroupChangeType::Dissolved, &[])));
            world.log.push(None); // a send that was refused
        }
        let super_after = world.super_after;
        for message in world.log.iter_mut().flatten() {
            if let Some(change) = &mut message.group_change {
                change.super_after = super_after;
            }
        }
        world
    }

    fn at(&self, seq: u64) -> Option<&Message> {
        self.log[usize::try_from(seq).unwrap() - 1].as_ref()
    }

    /// What the user may read, up to this seq: all that there is at that moment.
    fn readable(&self, upto: u64) -> Vec<(u64, u64)> {
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        for (first, last) in &self.stays {
            let last = last.unwrap_or(upto).min(upto);
            match pieces.last_mut() {
                Some(before) if *first <= before.1 + 1 => before.1 = before.1.max(last),
                _ if *first <= last => pieces.push((*first, last)),
                _ => {}
            }
        }
        pieces
    }

    /// PULL, when the log went up to this seq.
    fn page(&self, begin: u64, limit: usize, upto: u64) -> PullOutputMsg {
        let pieces = self.readable(upto);
        let max_seq = pieces.last().map_or(0, |piece| piece.1);
        let is_in = self
            .stays
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

    /// What is copied into the user's inbox.
    fn inbox(&self) -> Vec<Message> {
        let is_copied = |message: &&Message| {
            message
                .group_change
                .as_ref()
                .is_some_and(|change| change.user_ids.contains(&ME) || change.r#type() == GroupChangeType::BecameSuper)
        };
        self.log.iter().flatten().filter(is_copied).cloned().collect()
    }

    /// Everything that is this user's and that no inbox of before brought.
    fn theirs(&self) -> Vec<u64> {
        let pieces = self.readable(self.log.len() as u64);
        let seqs = pieces.into_iter().flat_map(|(first, last)| first..=last);
        seqs.filter(|seq| *seq > self.super_after && self.at(*seq).is_some())
            .collect()
    }
}

/// An app, and what it has kept.
struct App {
    groups: SuperGroups,
    closing: Duration,
    cursor: Option<u64>,
    ended: Option<u64>,
    out: Vec<u64>,
}

impl App {
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
        if inboxed.is_handed_on {
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
    /// Pushes in any order, pages in between, some of them read a while ago, the inbox's copies at any time and one of them as late as it
    /// may be, and a process that ends at any time, having kept the cursors as the events told; a group is closing for no time at all, or
    /// for ever: each message is handed on once, by one way.
    #[test]
    fn whichever_way_comes_first_each_message_is_handed_on_once(
        begin in prop_oneof![Just(Begin::Created), Just(Begin::Added), Just(Begin::Became)],
        entries in prop::collection::vec(entry(), 0..30),
        is_dissolved: bool,
        closes: bool,
        late in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
        arrivals in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 0..80),
    ) {
        let world = World::new(begin, &entries, is_dissolved);
        let end = world.log.len() as u64;
        let mut inbox = world.inbox();
        if let Some((which, to)) = late {
            let which = which.index(inbox.len());
            let to = which + to.index(inbox.len() - which);
            let copy = inbox.remove(which);
            inbox.insert(to, copy);
        }
        let mut inbox = inbox.iter();
        let mut app = App::new(if closes { Duration::ZERO } else { CLOSING });
        // What the server has got to; it was there for all that the app was told.
        let mut upto = 1;
        // A page that is on its way.
        let mut late_page = None;
        for (index, kind) in arrivals {
            upto = upto.max(1 + index.index(world.log.len()) as u64).min(end);
            match kind {
                0 => {
                    let seq = 1 + index.index(usize::try_from(upto).unwrap()) as u64;
                    let is_theirs = world.theirs().contains(&seq);
                    if let Some(message) = world.at(seq).filter(|_| is_theirs) {
                        app.pushed(message);
                    }
                }
                1 => if let Some(cursor) = app.groups.cursor(GROUP) {
                    app.paged(world.page(cursor + 1, 1 + index.index(6), upto));
                },
                2 | 3 => if let Some(message) = inbox.next() {
                    upto = upto.max(message.conversation_seq);
                    app.inboxed(message);
                },
                4 => {
                    if let Some(page) = late_page.take() {
                        app.paged(page);
                    } else if let Some(cursor) = app.groups.cursor(GROUP) {
                        late_page = Some(world.page(cursor + 1, 1 + index.index(6), upto));
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
            app.paged(world.page(cursor + 1, 7, end));
        }
        app.out.sort_unstable();
        prop_assert_eq!(app.out, world.theirs());
        let is_over = is_dissolved || world.stays.last().unwrap().1.is_some();
        if closes {
            prop_assert_eq!(app.groups.contains(GROUP), !is_over);
        }
    }
}
