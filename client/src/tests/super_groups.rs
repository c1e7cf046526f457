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

fn following(cursor: u64) -> SuperGroups {
    SuperGroups::new(ME, &BTreeMap::from([(GROUP, cursor)]), 10)
}

fn now() -> Instant {
    Instant::now()
}

fn push(groups: &mut SuperGroups, message: Message) -> Option<Vec<u64>> {
    let ready = groups.push(message, now(), Duration::ZERO)?;
    Some(ready.iter().map(|message| message.conversation_seq).collect())
}

#[test]
fn a_group_begins_with_the_change_that_brings_this_user_in() {
    for kind in [GroupChangeType::Created, GroupChangeType::MembersAdded] {
        let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 10);
        assert_eq!(groups.inboxed(&change(4, kind, &[BOB]), now()), Inboxed::Plain);
        assert_eq!(push(&mut groups, text(5)), None, "not followed yet");
        let begins = Inboxed::Begins {
            group_id: GROUP,
            cursor: 4,
        };
        assert_eq!(groups.inboxed(&change(4, kind, &[BOB, ME]), now()), begins);
        assert_eq!(
            groups.inboxed(&change(4, kind, &[BOB, ME]), now()),
            Inboxed::Plain,
            "once"
        );
        assert_eq!(push(&mut groups, text(5)), Some(vec![5]));
    }
}

#[test]
fn a_group_begins_where_it_became_a_super_group() {
    let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 10);
    let mut became = change(7, GroupChangeType::BecameSuper, &[]);
    became.group_change.as_mut().unwrap().super_after = 5;
    let begins = Inboxed::Begins {
        group_id: GROUP,
        cursor: 5,
    };
    assert_eq!(groups.inboxed(&became, now()), begins);
    // What was sent between that and its telling is in the log alone; the telling is not handed on again.
    assert_eq!(push(&mut groups, text(6)), Some(vec![6]));
    assert_eq!(push(&mut groups, became), Some(vec![]));
    assert_eq!(push(&mut groups, text(8)), Some(vec![8]));
}

#[test]
fn changes_of_groups_that_are_no_super_groups_come_by_the_inbox_alone() {
    let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 10);
    let mut added = change(4, GroupChangeType::MembersAdded, &[ME]);
    added.group_change.as_mut().unwrap().super_group = false;
    assert_eq!(groups.inboxed(&added, now()), Inboxed::Plain);
    assert!(!groups.contains(GROUP));
}

#[test]
fn other_changes_come_by_the_log_whichever_copy_is_first() {
    let role = change(6, GroupChangeType::Role, &[ME]);
    let mut groups = following(5);
    assert_eq!(groups.inboxed(&role, now()), Inboxed::ByLog);
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    let mut groups = following(5);
    assert_eq!(push(&mut groups, role.clone()), Some(vec![6]));
    assert_eq!(groups.inboxed(&role, now()), Inboxed::ByLog);
    // Where nothing is followed there is no log to bring it.
    let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 10);
    assert_eq!(groups.inboxed(&role, now()), Inboxed::Plain);
}

#[test]
fn a_group_ends_once_everything_before_the_end_was_read() {
    let mut groups = following(5);
    let removed = change(8, GroupChangeType::MembersRemoved, &[BOB, ME]);
    assert_eq!(groups.inboxed(&removed, now()), Inboxed::Plain);
    assert!(!groups.is_over(GROUP));
    let page = PullOutputMsg {
        messages: vec![text(6), text(7), removed],
        max_seq: 8,
        ..PullOutputMsg::default()
    };
    let (ready, is_current) = groups.page(GROUP, page, now());
    assert_eq!(
        ready.iter().map(|m| m.conversation_seq).collect::<Vec<_>>(),
        [6, 7],
        "the inbox has handed 8 on"
    );
    assert!(is_current && groups.is_over(GROUP));
}

#[test]
fn a_log_that_ends_with_this_users_going_ends_the_group_without_the_inbox() {
    let mut groups = following(5);
    let left = Message {
        sender_id: ME,
        ..change(6, GroupChangeType::MemberLeft, &[])
    };
    assert_eq!(push(&mut groups, left), Some(vec![]));
    assert!(
        !groups.is_over(GROUP),
        "the inbox may still bring what the log has handed on"
    );
    assert_eq!(groups.over_for(now(), Duration::ZERO), [GROUP]);
    assert!(groups.over_for(now(), Duration::from_mins(1)).is_empty());
    let mut groups = following(5);
    assert_eq!(
        push(&mut groups, change(6, GroupChangeType::MemberLeft, &[])),
        Some(vec![6])
    );
    assert!(groups.over_for(now(), Duration::ZERO).is_empty(), "somebody else left");
    assert_eq!(
        push(&mut groups, change(7, GroupChangeType::Dissolved, &[])),
        Some(vec![7])
    );
    assert_eq!(groups.over_for(now(), Duration::ZERO), [GROUP]);
}

/// A page of the log, as the server cuts it: it ends where one stay of the user ends.
fn page_of_first_stay(next_seq: u64, max_seq: u64) -> PullOutputMsg {
    PullOutputMsg {
        messages: vec![text(6), change(7, GroupChangeType::MembersRemoved, &[ME])],
        has_more: next_seq > 0,
        next_seq,
        max_seq,
    }
}

#[test]
fn who_went_and_came_back_is_not_gone_because_the_log_is_behind_the_inbox() {
    let mut groups = following(5);
    groups.inboxed(&change(7, GroupChangeType::MembersRemoved, &[ME]), now());
    groups.inboxed(&change(12, GroupChangeType::MembersAdded, &[ME]), now());
    groups.page(GROUP, page_of_first_stay(11, 13), now());
    assert!(groups.over_for(now(), Duration::ZERO).is_empty());
    assert_eq!(groups.next_due().map(|(group, _)| group), Some(GROUP), "there is more");
    let page = PullOutputMsg {
        messages: vec![change(12, GroupChangeType::MembersAdded, &[ME]), text(13)],
        max_seq: 13,
        ..PullOutputMsg::default()
    };
    let (ready, _) = groups.page(GROUP, page, now());
    assert_eq!(ready.len(), 1, "the inbox has handed 12 on");
    assert_eq!(groups.cursor(GROUP), Some(13));
}

#[test]
fn who_went_and_came_back_is_not_gone_because_an_earlier_process_was_told() {
    let mut groups = following(5);
    groups.page(GROUP, page_of_first_stay(11, 13), now());
    assert!(groups.over_for(now(), Duration::ZERO).is_empty());
    assert_eq!(groups.next_due().map(|(group, _)| group), Some(GROUP), "there is more");
    // Where there is no more, that was the end.
    let mut groups = following(5);
    groups.page(GROUP, page_of_first_stay(0, 7), now());
    assert_eq!(groups.over_for(now(), Duration::ZERO), [GROUP]);
}

#[test]
fn who_went_twice_is_not_gone_with_the_first_time() {
    let mut groups = following(5);
    groups.inboxed(&change(13, GroupChangeType::MembersRemoved, &[ME]), now());
    groups.page(GROUP, page_of_first_stay(11, 13), now());
    assert!(!groups.is_over(GROUP));
    let page = PullOutputMsg {
        messages: vec![text(12), change(13, GroupChangeType::MembersRemoved, &[ME])],
        max_seq: 13,
        ..PullOutputMsg::default()
    };
    let (ready, _) = groups.page(GROUP, page, now());
    assert_eq!(ready.len(), 1, "the inbox has handed 13 on");
    assert!(groups.is_over(GROUP));
}

#[test]
fn who_went_and_came_back_begins_anew_where_the_inbox_is_yet_to_tell() {
    let mut groups = following(5);
    groups.inboxed(&change(7, GroupChangeType::MembersRemoved, &[ME]), now());
    groups.page(GROUP, page_of_first_stay(11, 13), now());
    assert!(groups.is_over(GROUP));
}

#[test]
fn a_page_that_was_read_while_the_user_was_going_does_not_keep_them() {
    let mut groups = following(5);
    groups.page(GROUP, page_of_first_stay(8, 9), now());
    assert!(groups.over_for(now(), Duration::ZERO).is_empty());
    let page = PullOutputMsg {
        max_seq: 7,
        ..PullOutputMsg::default()
    };
    groups.page(GROUP, page, now());
    assert_eq!(groups.over_for(now(), Duration::ZERO), [GROUP]);
}

/// The announcement stands before the stay is closed: until then the log goes on.
#[test]
fn what_was_read_behind_the_users_own_going_does_not_keep_them() {
    for hole in [false, true] {
        let mut groups = following(5);
        let mut page = page_of_first_stay(if hole { 9 } else { 0 }, if hole { 10 } else { 8 });
        page.has_more = false;
        page.messages.push(text(8));
        groups.page(GROUP, page, now());
        assert_eq!(groups.cursor(GROUP), Some(8));
        let page = PullOutputMsg {
            max_seq: 7,
            ..PullOutputMsg::default()
        };
        let (_, is_current) = groups.page(GROUP, page.clone(), now());
        assert!(is_current, "there is nothing more to ask for");
        assert_eq!(groups.over_for(now(), Duration::ZERO), [GROUP]);
        groups.inboxed(&change(7, GroupChangeType::MembersRemoved, &[ME]), now());
        assert!(groups.is_over(GROUP));
    }
}

#[test]
fn a_going_that_the_inbox_tells_of_after_the_coming_that_followed_it_ends_nothing() {
    let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 10);
    groups.inboxed(&change(3, GroupChangeType::MembersAdded, &[ME]), now());
    groups.inboxed(&change(12, GroupChangeType::MembersAdded, &[ME]), now());
    groups.inboxed(&change(7, GroupChangeType::MembersRemoved, &[ME]), now());
    let mut page = page_of_first_stay(11, 13);
    page.messages.retain(|message| message.conversation_seq > 3);
    page.messages.insert(0, text(5));
    page.messages.insert(0, text(4));
    groups.page(GROUP, page, now());
    assert!(!groups.is_over(GROUP) && groups.over_for(now(), Duration::ZERO).is_empty());
    assert_eq!(groups.next_due().map(|(group, _)| group), Some(GROUP), "there is more");
}

#[test]
fn old_news_of_the_inbox_neither_ends_nor_begins_anything() {
    let mut groups = following(20);
    groups.inboxed(&change(3, GroupChangeType::MembersAdded, &[ME]), now());
    groups.inboxed(&change(8, GroupChangeType::MembersRemoved, &[ME]), now());
    groups.inboxed(&change(12, GroupChangeType::MembersAdded, &[ME]), now());
    assert!(!groups.is_over(GROUP));
    assert_eq!(groups.cursor(GROUP), Some(20));
    assert_eq!(push(&mut groups, text(21)), Some(vec![21]));
}

#[tokio::test(start_paused = true)]
async fn only_quiet_groups_are_looked_after() {
    let poll = Duration::from_mins(5);
    let mut groups = following(5);
    groups.connected(now());
    let page = PullOutputMsg {
        max_seq: 5,
        ..PullOutputMsg::default()
    };
    groups.page(GROUP, page, now());
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

/// The log of a super group from the view of one who came into it: what follows their coming.
fn log_entry() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0_u8), 1 => Just(1), 1 => Just(2)]
}

proptest! {
    /// Pushes in any order, the inbox's copies at any time, pages in between, and a process that ends at any time, having kept
    /// the cursors as the events told: each message is handed on once, by one way.
    #[test]
    fn whichever_way_comes_first_each_message_is_handed_on_once(
        kinds in prop::collection::vec(log_entry(), 1..30),
        leaves in any::<bool>(),
        arrivals in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8), 0..80),
    ) {
        // The user comes in with 3; then texts (0), changes of others (1), changes about this user (2).
        let mut log = vec![change(3, GroupChangeType::MembersAdded, &[ME])];
        for (seq, kind) in (4..).zip(&kinds) {
            log.push(match kind {
                0 => text(seq),
                1 => change(seq, GroupChangeType::MembersAdded, &[BOB]),
                _ => change(seq, GroupChangeType::Role, &[ME]),
            });
        }
        let end = log.len() as u64 + 3;
        if leaves {
            log.push(change(end, GroupChangeType::MembersRemoved, &[ME]));
        }
        let inbox: Vec<&Message> = log
            .iter()
            .filter(|m| m.group_change.as_ref().is_some_and(|c| c.user_ids.contains(&ME)))
            .collect();
        let max_seq = log.last().unwrap().conversation_seq;

        let mut groups = SuperGroups::new(ME, &BTreeMap::new(), 5);
        let mut out: Vec<u64> = Vec::new();
        // What the app has kept: how much of the inbox it has dealt with, and the group's cursor.
        let (mut inbox_cursor, mut kept) = (0_usize, None::<u64>);
        let from_inbox = |groups: &mut SuperGroups, at: &mut usize, kept: &mut Option<u64>, out: &mut Vec<u64>| {
            let Some(message) = inbox.get(*at) else { return };
            *at += 1;
            match groups.inboxed(message, now()) {
                Inboxed::ByLog => {}
                Inboxed::Plain => out.push(message.conversation_seq),
                Inboxed::Begins { cursor, .. } => {
                    *kept = Some(cursor);
                    out.push(message.conversation_seq);
                }
            }
        };
        let page = |groups: &mut SuperGroups, limit: usize| {
            let begin = groups.cursor(GROUP)? + 1;
            let messages: Vec<Message> = log.iter().filter(|m| m.conversation_seq >= begin).take(limit).cloned().collect();
            let last = messages.last().map_or(max_seq, |m| m.conversation_seq);
            let page = PullOutputMsg {
                messages,
                has_more: last < max_seq,
                next_seq: if last < max_seq { last + 1 } else { 0 },
                max_seq,
            };
            Some(groups.page(GROUP, page, now()).0)
        };
        for (index, kind) in arrivals {
            let ready = match kind {
                0 => groups.push(log[index.index(log.len())].clone(), now(), Duration::ZERO),
                1 => page(&mut groups, 1 + index.index(6)),
                2 => {
                    from_inbox(&mut groups, &mut inbox_cursor, &mut kept, &mut out);
                    None
                }
                _ => {
                    // The process ends.
                    let cursors = kept.map(|cursor| (GROUP, cursor)).into_iter().collect();
                    groups = SuperGroups::new(ME, &cursors, 5);
                    None
                }
            };
            out.extend(ready.into_iter().flatten().map(|m| m.conversation_seq));
            kept = groups.cursor(GROUP).or(kept);
            if groups.is_over(GROUP) {
                groups.drop_group(GROUP);
                kept = None;
            }
        }
        while inbox_cursor < inbox.len() {
            from_inbox(&mut groups, &mut inbox_cursor, &mut kept, &mut out);
        }
        while let Some(ready) = page(&mut groups, 7) {
            out.extend(ready.into_iter().map(|m| m.conversation_seq));
            if groups.is_over(GROUP) || groups.cursor(GROUP) == Some(max_seq) {
                break;
            }
        }
        out.sort_unstable();
        prop_assert_eq!(out, (3..=max_seq).collect::<Vec<_>>());
    }
}
