//! Which messages the inbox delivers and which the log, and that none is delivered by both.

use super::*;
use wigwag_protocol::pb::{GroupChange, SessionType};

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

/// The closing time.
const CLOSING: Duration = Duration::from_mins(6);

fn rules(closing: Duration) -> SuperGroupRules {
    SuperGroupRules {
        ahead_limit: 5,
        closing,
        inbox_tells_all: true,
    }
}

fn following_none() -> SuperGroups {
    SuperGroups::new(ME, rules(CLOSING), &BTreeMap::new(), &BTreeMap::new())
}

fn following(cursor: u64) -> SuperGroups {
    SuperGroups::new(ME, rules(CLOSING), &BTreeMap::from([(GROUP, cursor)]), &BTreeMap::new())
}

/// A group that was followed up to this seq and has ended.
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

/// The seq after which the inbox message makes the client follow the group, and whether the inbox
/// delivers it.
fn inboxed(groups: &mut SuperGroups, message: &Message) -> (Option<u64>, bool) {
    let inboxed = groups.inboxed(message, now());
    (inboxed.begins_after, inboxed.by_inbox)
}

/// A page that reaches the end of the log.
fn page(messages: Vec<Message>, max_seq: u64) -> PullOutputMsg {
    PullOutputMsg {
        messages,
        max_seq,
        ..PullOutputMsg::default()
    }
}

/// The same, and the group has ended.
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

/// The change that made a group a super group, with seq 10 and `super_after` 9.
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
fn a_group_begins_with_the_change_by_which_this_user_joins() {
    for kind in [GroupChangeType::Created, GroupChangeType::MembersAdded] {
        let mut groups = following_none();
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB])), (None, true));
        assert_eq!(push(&mut groups, text(5)), None, "not followed yet");
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB, ME])), (Some(4), true));
        assert_eq!(inboxed(&mut groups, &change(4, kind, &[BOB, ME])), (None, true), "once");
        assert_eq!(push(&mut groups, text(5)), Some(vec![5]));
    }
}

#[test]
fn a_group_begins_where_it_became_a_super_group() {
    let mut groups = following_none();
    assert_eq!(inboxed(&mut groups, &became()), (Some(9), true));
    // The log does not deliver the announcement again. Messages sent before it are only in the log.
    assert_eq!(push(&mut groups, became()), Some(vec![]));
    assert_eq!(push(&mut groups, text(11)), Some(vec![11]));
}

#[test]
fn the_inbox_delivers_changes_of_ordinary_groups() {
    let mut groups = following_none();
    let mut added = change(4, GroupChangeType::MembersAdded, &[ME]);
    added.group_change.as_mut().unwrap().super_group = false;
    assert_eq!(inboxed(&mut groups, &added), (None, true));
    assert!(!groups.contains(GROUP));
}

#[test]
fn the_log_delivers_other_changes_whichever_copy_comes_first() {
    let role = change(6, GroupChangeType::Role, &[ME]);
    let mut groups = following(5);
    assert_eq!(inboxed(&mut groups, &role), (None, false));
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    let mut groups = following(5);
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    assert_eq!(inboxed(&mut groups, &role), (None, false));
}

/// Copies about a user are in another message group than those of the message by which a group
/// became a super group.
#[test]
fn changes_announced_before_the_conversion_neither_lose_nor_double_messages() {
    let role = in_converted(change(11, GroupChangeType::Role, &[ME]));
    let mut groups = following_none();
    assert_eq!(inboxed(&mut groups, &role), (Some(9), false));
    assert_eq!(inboxed(&mut groups, &became()), (None, true));
    assert_eq!(read(&mut groups, page(vec![became(), role], 11)), [11]);

    let removed = in_converted(change(12, GroupChangeType::MembersRemoved, &[ME]));
    let back = in_converted(change(13, GroupChangeType::MembersAdded, &[ME]));
    let mut groups = following_none();
    assert_eq!(inboxed(&mut groups, &removed), (Some(9), true));
    assert_eq!(inboxed(&mut groups, &back), (None, true));
    assert_eq!(inboxed(&mut groups, &became()), (None, true));
    let all = vec![became(), text(11), removed, back, text(14)];
    assert_eq!(read(&mut groups, page(all, 14)), [11, 14]);
}

/// A device that starts near the end of the inbox does not want earlier messages.
#[test]
fn only_a_join_begins_a_group_if_the_inbox_does_not_announce_all() {
    let rules = SuperGroupRules {
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
fn a_group_ends_after_everything_before_the_end_was_read() {
    let mut groups = following(5);
    let removed = change(8, GroupChangeType::MembersRemoved, &[BOB, ME]);
    assert_eq!(inboxed(&mut groups, &removed), (None, true));
    assert!(!groups.is_over(GROUP) && is_asked_for(&groups));
    let all = vec![text(6), text(7), removed];
    assert_eq!(
        read(&mut groups, last_page(all, 8)),
        [6, 7],
        "the inbox has delivered 8"
    );
    assert!(groups.is_over(GROUP));
    assert_eq!(groups.drop_group(GROUP), Some(8));
}

#[test]
fn a_leave_that_the_inbox_announces_after_the_log_is_checked_with_the_server() {
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

/// Runs the heartbeats of an hour. Returns how many pages were read until the group was over.
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

/// Both for a process that saw the end and for one that learns it from an empty page, and for
/// refused sends that have raised the counter.
#[tokio::test(start_paused = true)]
async fn a_dissolved_or_left_group_is_no_longer_asked_for_after_the_closing_time() {
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
            assert!(!groups.is_over(GROUP), "the inbox has not announced it");
            let asked = heartbeats(&mut groups, || last_page(vec![], max_seq)).await;
            assert_eq!(asked, Some(1), "{kind:?} {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_end_was_pushed_is_checked_once_more() {
    let mut groups = following(5);
    groups.connected(now());
    groups.page(GROUP, page(vec![], 5), now());
    let dissolved = change(6, GroupChangeType::Dissolved, &[]);
    assert_eq!(push(&mut groups, dissolved), Some(vec![6]));
    // The closing time begins with the first answer.
    let asked = heartbeats(&mut groups, || last_page(vec![], 8)).await;
    assert_eq!(asked, Some(1));
}

#[tokio::test(start_paused = true)]
async fn messages_after_the_end_count_while_the_group_is_closing() {
    for by_push in [true, false] {
        let mut groups = following(6);
        groups.connected(now());
        let dissolved = change(7, GroupChangeType::Dissolved, &[]);
        assert_eq!(read(&mut groups, last_page(vec![dissolved], 7)), [7]);
        // Claimed before the end, finished by a repeat.
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

/// The announcement is written before the membership interval is closed. Until then the log goes
/// on, for pushes and for pages.
#[tokio::test(start_paused = true)]
async fn messages_read_after_the_users_leave_do_not_keep_the_group_open() {
    for by_push in [true, false] {
        let mut groups = following(5);
        let removed = change(7, GroupChangeType::MembersRemoved, &[ME]);
        if by_push {
            push(&mut groups, text(6));
            push(&mut groups, removed.clone());
            assert_eq!(push(&mut groups, text(8)), Some(vec![8]));
            // The push of 9 was lost.
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
fn a_user_who_left_and_rejoined_continues_whichever_change_comes_first() {
    let removed = change(7, GroupChangeType::MembersRemoved, &[ME]);
    let added = change(12, GroupChangeType::MembersAdded, &[ME]);
    // The number of changes that the inbox announces before the log is read. The others come after
    // it.
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
        assert_eq!(read(&mut groups, second), [13], "the inbox delivers 12");
        for change in &changes[told..] {
            assert_eq!(inboxed(&mut groups, change), (None, true));
        }
        assert!(!groups.is_over(GROUP));
        assert_eq!(push(&mut groups, text(14)), Some(vec![14]));
    }
}

#[test]
fn a_page_read_before_the_user_rejoined_does_not_end_the_group() {
    let mut groups = following(7);
    inboxed(&mut groups, &change(7, GroupChangeType::MembersRemoved, &[ME]));
    inboxed(&mut groups, &change(12, GroupChangeType::MembersAdded, &[ME]));
    let (_, is_current) = groups.page(GROUP, last_page(vec![], 7), now());
    assert!(!is_current && !groups.is_over(GROUP));
    assert!(groups.next_due().is_some(), "12 is missing");
}

#[test]
fn a_leave_announced_after_the_later_join_ends_nothing() {
    let mut groups = following_none();
    inboxed(&mut groups, &change(3, GroupChangeType::MembersAdded, &[ME]));
    inboxed(&mut groups, &change(12, GroupChangeType::MembersAdded, &[ME]));
    inboxed(&mut groups, &change(7, GroupChangeType::MembersRemoved, &[ME]));
    let all = vec![text(4), text(13)];
    assert_eq!(read(&mut groups, page(all, 13)), [4, 13]);
    assert!(!groups.is_over(GROUP));
}

#[test]
fn late_inbox_copies_of_an_ended_group_begin_nothing() {
    let mut groups = ended(8);
    let old = [
        change(3, GroupChangeType::MembersAdded, &[ME]),
        change(8, GroupChangeType::MembersRemoved, &[ME]),
    ];
    for told in old {
        assert_eq!(inboxed(&mut groups, &told), (None, true));
    }
    let role = change(6, GroupChangeType::Role, &[ME]);
    assert_eq!(inboxed(&mut groups, &role), (None, false), "the log had delivered it");
    // A new change does begin the group, and it continues after what was read.
    let left = Message {
        sender_id: ME,
        ..change(20, GroupChangeType::MemberLeft, &[])
    };
    assert_eq!(inboxed(&mut groups, &left), (Some(8), true));
    assert_eq!(
        ended(8).begin(GROUP, 2, None),
        Some(8),
        "the list does not restart it either"
    );
    let mut groups = ended(8);
    let added = change(12, GroupChangeType::MembersAdded, &[ME]);
    assert_eq!(inboxed(&mut groups, &added), (Some(12), true));
}

#[tokio::test(start_paused = true)]
async fn only_quiet_groups_are_polled() {
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
    assert_eq!(groups.next_due(), None, "it pushed four minutes ago");
    tokio::time::advance(Duration::from_mins(1)).await;
    groups.look_for_lost(now(), poll);
    assert_eq!(groups.next_due(), Some((GROUP, now())));
}

#[test]
fn members_of_a_large_group_wait_longer_before_asking() {
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

#[path = "super_groups_property.rs"]
mod property;
