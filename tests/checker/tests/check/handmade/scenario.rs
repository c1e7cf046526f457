//! A run in which everything occurs.

use super::*;

/// A run in which everything occurs and nothing is wrong. Each function below plays a part of it.
///
/// In the end user 4's device is installed again, user 2's device crashes, and everybody syncs.
/// Messages of the roll call have numbers from 100 on.
pub(crate) fn everything() -> Run {
    let mut run = settled();
    roll_call(&mut run);
    run
}

/// The same without the roll call.
pub(crate) fn settled() -> Run {
    let mut run = Run::default();
    let [u1, u2, u4] =
        [(1, "u1.a"), (2, "u2.a"), (4, "u4.a")].map(|(user, name)| run.device(user, name, DeviceKind::Sdk));
    let u3 = run.device(3, "u3.a", DeviceKind::Raw);
    let (group, large) = (Conversation::Group(GROUP), Conversation::Group(SUPER));
    run.found(GROUP, false, &[1, 2, 3]);
    run.found(SUPER, true, &[1, 2, 4]);
    for group in [GROUP, SUPER] {
        run.promote(group, 2);
    }
    between_two(&mut run, u1, u2, u3);
    in_a_group(&mut run, u1, u2, u3, u4);
    in_a_super_group(&mut run, u1, u2, u4);
    in_a_group_that_becomes_one(&mut run, u1, u2);
    in_a_group_that_ends(&mut run, u1, u2, u3);
    for user in 1..=4 {
        run.seal(inbox(user));
    }
    run.sync(u2);
    run.on(u2, Event::Crashed);
    run.on(u2, Event::Started);
    run.on(u2, Event::Connected);
    run.sync(u4);
    run.send(u4, 22, large);
    run.reinstall(u4);
    run.sync(u4);
    unanswered(&mut run, u2);
    run.create_orphan_group();
    run.sends(u1, 20, group);
    run.sends(u1, 21, large);
    for log in [group, large, Conversation::Group(ENDING)] {
        run.seal(TimelineKey::Log(log));
    }
    in_the_end(&mut run, &[u1, u2, u4]);
    run
}

/// `m1` and `m2` go from `u1.a` to u2. `m3` goes from the raw `u3.a` to u1, and is repeated.
fn between_two(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u3: DeviceIndex) {
    run.sends(u1, 1, Conversation::Pair(1, 2));
    run.seal(pair(1, 2));
    run.sync(u2);
    run.sends(u1, 2, Conversation::Pair(1, 2));
    let answer = run.sends(u3, 3, Conversation::Pair(1, 3));
    run.acknowledge(u3, 3, answer);
    run.push(u3);
    run.sync_by_hand(u3);
}

/// u4 joins before `m6`, u3 leaves before `m7`, and both come back at the same time before `m10`.
///
/// `m8`, `m9` and `m24` are refused, because their senders had left. `m18` is accepted while u3
/// leaves, and `m19` while its sender leaves.
fn in_a_group(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u3: DeviceIndex, u4: DeviceIndex) {
    let group = Conversation::Group(GROUP);
    run.sends(u2, 4, group);
    run.push(u3);
    run.sends(u2, 5, group);
    run.change(GROUP, GroupChangeType::MembersAdded, 1, &[4]);
    run.sends(u1, 6, group);
    // It is logged before u3 leaves, and acknowledged after that.
    run.send(u1, 18, group);
    let answer = run.accept(u1, 18, group);
    run.change(GROUP, GroupChangeType::MemberLeft, 3, &[3]);
    run.acknowledge(u1, 18, answer);
    run.push(u3);
    run.sends(u1, 7, group);
    run.refused(u3, 8, group, NOT_A_MEMBER);
    // It is claimed before its sender leaves, and finished after that.
    run.send(u4, 19, group);
    run.change(GROUP, GroupChangeType::MemberLeft, 4, &[4]);
    let mut answer = run.accept(u4, 19, group);
    let observed = run.at(GROUP_LOG, 19).1;
    answer.seq = run.copy(4, &observed);
    run.acknowledge(u4, 19, answer);
    run.refused(u4, 9, group, NOT_A_MEMBER);
    // u4 comes back too: this begins before and ends after the change of u3.
    let (user, turn) = (4, Turn::Joins);
    run.note(Event::Change {
        group: GROUP,
        user,
        turn,
    });
    run.change(GROUP, GroupChangeType::MembersAdded, 1, &[3]);
    run.changes(GROUP, GroupChangeType::MembersAdded, 1, &[4]);
    run.note(Event::Changed {
        group: GROUP,
        user,
        turn,
    });
    run.sends(u3, 10, group);
    run.change(GROUP, GroupChangeType::MembersRemoved, 1, &[3]);
    run.change(GROUP, GroupChangeType::MemberLeft, 4, &[4]);
    run.refused(u4, 24, group, NOT_A_MEMBER);
    run.sync_by_hand(u3);
    run.pull(u3, GROUP_LOG, &[4, 5, 18, 10]);
    run.on(
        u3,
        Event::Denied {
            group: SUPER,
            code: 1213,
        },
    );
    run.seal(GROUP_LOG);
}

/// u4 is removed before `m13`, and comes back before `m14`.
fn in_a_super_group(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u4: DeviceIndex) {
    let large = Conversation::Group(SUPER);
    run.sends(u1, 11, large);
    run.seal(SUPER_LOG);
    run.sends(u2, 12, large);
    run.sync(u4);
    run.change(SUPER, GroupChangeType::MembersRemoved, 1, &[4]);
    run.sends(u2, 13, large);
    run.change(SUPER, GroupChangeType::MembersAdded, 1, &[4]);
    run.sends(u1, 14, large);
    run.sync(u1);
}

/// `m30` and `m31` are logged before the group becomes a super group, although `m31` is
/// acknowledged after it. `m32` comes between that and the announcement, and `m33` after both. u4
/// joins before `m34`.
fn in_a_group_that_becomes_one(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex) {
    let becoming = Conversation::Group(BECOMING);
    run.found(BECOMING, false, &[1, 2, 3]);
    run.sends(u1, 30, becoming);
    run.send(u2, 31, becoming);
    let answer = run.accept(u2, 31, becoming);
    run.send(u1, 32, becoming);
    run.becomes(BECOMING, Setting::Super, true, |run| {
        let answer = run.accept(u1, 32, becoming);
        run.acknowledge(u1, 32, answer);
    });
    run.acknowledge(u2, 31, answer);
    run.sends(u2, 33, becoming);
    run.change(BECOMING, GroupChangeType::MembersAdded, 1, &[4]);
    run.sends(u1, 34, becoming);
}

/// The group is muted: that refuses `m41` of u3, but not `m42` of the owner, `m43` of an admin and
/// `m44`, which was begun before. Then u3 is muted (`m45`), and not any more (`m46`).
///
/// u2 leaves and comes back without being an admin, so a mute refuses `m47`. u3 leaves, `m50` is
/// sent, and u3 comes back and reads it while the history is open. `m48` is accepted while the
/// group is dissolved. `m49` and `m51` are refused.
fn in_a_group_that_ends(run: &mut Run, u1: DeviceIndex, u2: DeviceIndex, u3: DeviceIndex) {
    let ending = Conversation::Group(ENDING);
    run.found(ENDING, false, &[1, 2, 3]);
    for user in [1, 2] {
        run.becomes(ENDING, Setting::Ranks(user), true, |_| ());
    }
    run.sends(u1, 40, ending);
    run.send(u3, 44, ending);
    let answer = run.accept(u3, 44, ending);
    run.becomes(ENDING, Setting::Muted, true, |_| ());
    run.acknowledge(u3, 44, answer);
    run.refused(u3, 41, ending, GROUP_MUTED);
    run.sends(u1, 42, ending);
    run.sends(u2, 43, ending);
    run.becomes(ENDING, Setting::Muted, false, |_| ());
    run.becomes(ENDING, Setting::MemberMuted(3), true, |_| ());
    run.refused(u3, 45, ending, MEMBER_MUTED);
    // Muting a member again, until another time, is announced too.
    let members: Vec<UserId> = vec![1, 2, 3];
    run.tell(ENDING, GroupChangeType::MemberMuted, &[3], &members);
    run.becomes(ENDING, Setting::MemberMuted(3), false, |_| ());
    run.sends(u3, 46, ending);
    let (group, setting, is_on) = (ENDING, Setting::Ranks(2), false);
    run.note(Event::Set { group, setting, is_on });
    run.change(ENDING, GroupChangeType::MemberLeft, 2, &[2]);
    run.note(Event::SetDone { group, setting, is_on });
    run.change(ENDING, GroupChangeType::MembersAdded, 1, &[2]);
    run.becomes(ENDING, Setting::Muted, true, |_| ());
    run.refused(u2, 47, ending, GROUP_MUTED);
    run.becomes(ENDING, Setting::Muted, false, |_| ());
    run.change(ENDING, GroupChangeType::MemberLeft, 3, &[3]);
    run.sends(u1, 50, ending);
    run.change(ENDING, GroupChangeType::MembersAdded, 1, &[3]);
    run.becomes(ENDING, Setting::OpenHistory, true, |_| ());
    run.on(u3, Event::Asked { group });
    run.becomes(ENDING, Setting::OpenHistory, false, |_| ());
    run.pull(u3, ENDING_LOG, &[50]);
    run.send(u2, 48, ending);
    let answer = run.accept(u2, 48, ending);
    run.becomes(ENDING, Setting::Dissolved, true, |run| {
        run.refused(u1, 49, ending, DISSOLVED);
    });
    run.acknowledge(u2, 48, answer);
    run.refused(u3, 51, ending, DISSOLVED);
}

/// `m15` is stored although it was given up, and behind `m23`, which was sent later. `m16` is only
/// in its log. `m17` was never seen again.
fn unanswered(run: &mut Run, u2: DeviceIndex) {
    let give_up = |run: &mut Run, number| {
        let message = token(number);
        let reason = "its numbering was lost".to_owned();
        run.on(u2, Event::GivenUp { message, reason });
    };
    run.send(u2, 15, Conversation::Pair(1, 2));
    give_up(run, 15);
    run.sends(u2, 23, Conversation::Pair(1, 2));
    run.accept(u2, 15, Conversation::Pair(1, 2));
    run.send(u2, 16, Conversation::Pair(2, 3));
    let observed = run.observed(u2, 16, Conversation::Pair(2, 3));
    run.log(&observed);
    run.seal(pair(2, 3));
    give_up(run, 16);
    run.send(u2, 17, Conversation::Pair(2, 3));
    give_up(run, 17);
}

/// The faults stop, and every device gets everything.
fn in_the_end(run: &mut Run, sdk: &[DeviceIndex]) {
    run.note(Event::Calm);
    let raw = run.named("u3.a");
    let reason = "to connect anew".to_owned();
    run.on(raw, Event::Disconnected { reason });
    run.on(raw, Event::Connected);
    run.seal(inbox(1));
    for &device in sdk {
        run.sync(device);
    }
    for user in 1..=4 {
        let device = run.device(user, &format!("u{user}.fresh"), DeviceKind::Fresh);
        run.sync(device);
        run.on(device, Event::Left);
    }
    run.note(Event::Settled);
}

/// One more message to each user, and one to the super group.
fn roll_call(run: &mut Run) {
    let (caller, raw) = (run.named("u1.a"), run.named("u3.a"));
    for user in 2..=4 {
        let number = 100 + user;
        let message = token(number);
        // The first attempt is refused for being too fast.
        run.seal(inbox(user));
        run.sends(caller, number, Conversation::pair(1, user));
        run.note(Event::RollCall { message, user });
        if user == 3 {
            run.push(raw);
        }
    }
    run.sends(caller, 90, Conversation::Group(SUPER));
    run.note(Event::RollCalled);
}
