//! Each promise with a small run that keeps it, and with an alteration that breaks it. Also an
//! example of how to fill a history and tables.

use wigwag_invariants::stream::check_reader;
use wigwag_invariants::{
    Answer, Channel, Conversation, DeviceIndex, DeviceKind, Event, History, Observed, Row, Stage, Tables, TimelineKey,
    Token, Turn, UserId, judge,
};

const GROUP: u64 = 7;
const PAIR: Conversation = Conversation::Pair(1, 2);
const IN_GROUP: Conversation = Conversation::Group(GROUP);
const PAIR_LOG: TimelineKey = TimelineKey::Log(PAIR);
const GROUP_LOG: TimelineKey = TimelineKey::Log(IN_GROUP);

fn inbox(user: UserId) -> TimelineKey {
    TimelineKey::Inbox(user)
}

fn token(number: u64) -> Token {
    Token { number, bytes: 20 }
}

/// A run of users 1 to 3, each with one SDK device.
#[derive(Default)]
struct Run {
    history: History,
    tables: Tables,
    sent: u64,
}

impl Run {
    fn new() -> Self {
        let mut run = Self::default();
        for user in 1..=3 {
            let device = run.history.add_device(user, format!("u{user}.a"), DeviceKind::Sdk);
            run.history.on(device, Event::Installed);
        }
        run
    }

    /// Stores a row at the next seq of a timeline.
    fn store(&mut self, key: TimelineKey, row: impl FnOnce(u64) -> Row) -> u64 {
        let timeline = self.tables.entry(key);
        timeline.counter += 1;
        timeline.rows.insert(timeline.counter, row(timeline.counter));
        timeline.counter
    }

    fn log(&mut self, message: &Observed) -> Observed {
        let mut logged = message.clone();
        self.store(TimelineKey::Log(message.conversation), |seq| {
            logged.conversation_seq = seq;
            Row::Entry(logged.clone())
        });
        logged
    }

    fn copy(&mut self, user: UserId, message: &Observed) -> u64 {
        let key = inbox(user);
        self.store(key, |seq| Row::Entry(key.stored(message.clone(), seq)))
    }

    fn message(&mut self, number: u64, sender: UserId, conversation: Conversation) -> Observed {
        self.sent += 1;
        Observed {
            token: Some(token(number)),
            intact: true,
            conversation,
            conversation_seq: 0,
            seq: 0,
            sender,
            session: 1,
            client_id: self.sent,
            change: None,
            digest: 0,
        }
    }

    fn send(&mut self, number: u64, sender: UserId, to: Conversation) {
        let message = token(number);
        self.history.on(device(sender), Event::Send { message, to });
    }

    /// Stores a message with copies for these users, the sender first, and acknowledges it.
    fn accept(&mut self, number: u64, to: Conversation, users: &[UserId]) {
        let sender = users[0];
        let message = self.message(number, sender, to);
        let logged = self.log(&message);
        let seqs: Vec<u64> = users.iter().map(|user| self.copy(*user, &logged)).collect();
        let answer = Answer {
            session: logged.session,
            client_id: logged.client_id,
            seq: seqs[0],
            conversation_seq: logged.conversation_seq,
            send_time_ms: 0,
        };
        let message = token(number);
        self.history.on(device(sender), Event::Acknowledged { message, answer });
    }

    fn change(&mut self, user: UserId, turn: Turn, users: &[UserId]) {
        let group = GROUP;
        self.history.note(Event::Change { group, user, turn });
        let mut message = self.message(0, 1, IN_GROUP);
        let kind = if turn == Turn::Joins { 2 } else { 3 };
        (message.token, message.client_id, message.change) = (None, 0, Some((kind, vec![user])));
        let logged = self.log(&message);
        for user in users {
            self.copy(*user, &logged);
        }
        self.history.note(Event::Changed { group, user, turn });
    }

    /// Every device reads its inbox to the end.
    fn settle(mut self) -> Self {
        for user in 1..=3 {
            let Some(timeline) = self.tables.inbox(user).cloned() else {
                continue;
            };
            for (_, observed) in timeline.entries() {
                let (by, observed) = (Channel::Inbox, observed.clone());
                self.history.on(device(user), Event::Came { by, observed });
            }
            let seq = timeline.counter;
            self.history.on(device(user), Event::Cursor { seq });
        }
        self.history.note(Event::Settled);
        self
    }

    fn violations(&self) -> Vec<String> {
        let found = judge(&self.history, &self.tables, Stage::Settled);
        found.iter().map(ToString::to_string).collect()
    }

    /// Replaces the answer to a message.
    fn alter_answer(&mut self, number: u64, alter: impl Fn(&mut Answer)) {
        for record in &mut self.history.records {
            if let Event::Acknowledged { message, answer } = &mut record.event
                && *message == token(number)
            {
                alter(answer);
            }
        }
    }
}

fn device(user: UserId) -> DeviceIndex {
    usize::try_from(user - 1).expect("users are few")
}

/// Two messages of a pair, and one in a group that user 3 has left.
fn good() -> Run {
    let mut run = Run::new();
    for number in [1, 2] {
        run.send(number, 1, PAIR);
        run.accept(number, PAIR, &[1, 2]);
    }
    let is_super = false;
    run.history.note(Event::Founded { group: GROUP, is_super });
    for (user, users) in [(1, &[1][..]), (2, &[1, 2]), (3, &[1, 2, 3])] {
        run.change(user, Turn::Joins, users);
    }
    run.change(3, Turn::Leaves, &[1, 2, 3]);
    run.send(3, 2, IN_GROUP);
    run.accept(3, IN_GROUP, &[2, 1]);
    run
}

#[test]
fn a_good_run_keeps_all_promises() {
    assert_eq!(good().settle().violations(), Vec::<String>::new());
}

#[test]
fn g1_an_acknowledged_message_is_in_its_log_and_in_every_inbox() {
    let mut run = good();
    run.tables.entry(inbox(2)).rows.insert(1, Row::Seal);
    assert_eq!(
        run.settle().violations(),
        ["G1, lost: m1 to u1-u2 was acknowledged and is not in the inbox of u2"]
    );
    let mut run = good();
    run.tables.entry(PAIR_LOG).rows.insert(1, Row::Seal);
    assert!(
        run.settle()
            .violations()
            .contains(&"G1, lost: m1 was acknowledged and is not in the log p1-2".to_owned())
    );
}

#[test]
fn g2_a_message_is_in_a_timeline_once() {
    let mut run = good();
    let Row::Entry(again) = run.tables.entry(inbox(2)).rows[&1].clone() else {
        panic!("m1 is there");
    };
    run.copy(2, &again);
    assert_eq!(
        run.settle().violations(),
        ["G2, duplicated: m1 is at 1 of u2 and again at 7"]
    );
}

#[test]
fn g3_every_seq_is_an_entry_or_a_seal() {
    let mut run = good();
    run.tables.entry(PAIR_LOG).counter += 1;
    assert_eq!(
        run.settle().violations(),
        ["G3, other: there is neither an entry nor a seal at [3] of p1-2"]
    );
}

#[test]
fn g3_a_cursor_skips_no_entry() {
    let mut run = good().settle();
    let records = &mut run.history.records;
    records.retain(|record| match &record.event {
        Event::Came { observed, .. } => record.device != Some(1) || observed.token != Some(token(2)),
        _ => true,
    });
    assert_eq!(
        run.violations(),
        ["G3, lost: the cursor of u2.a went to 6 and skipped m2 at 2"]
    );
}

#[test]
fn g4_messages_of_a_device_keep_their_order() {
    let mut run = Run::new();
    for number in [1, 2] {
        run.send(number, 1, PAIR);
    }
    for number in [2, 1] {
        run.accept(number, PAIR, &[1, 2]);
    }
    assert_eq!(
        run.settle().violations(),
        ["G4, reordered: u1.a sent m1 before m2, but they are at 2 and 1 of p1-2"]
    );
}

#[test]
fn g4_a_copy_agrees_with_the_log() {
    let mut run = good();
    if let Some(Row::Entry(copy)) = run.tables.entry(inbox(2)).rows.get_mut(&1) {
        copy.conversation_seq = 2;
    }
    assert_eq!(
        run.settle().violations(),
        ["G4, reordered: m1 at 1 of u2 says that it is 2 of u1-u2, which holds something else: it is 1 there"]
    );
    let mut run = good();
    if let Some(Row::Entry(copy)) = run.tables.entry(inbox(2)).rows.get_mut(&1) {
        copy.digest = 1;
    }
    assert_eq!(
        run.settle().violations(),
        ["G4, other: m1 at 1 of u2 says that it is 1 of u1-u2, which has it with other fields"]
    );
}

#[test]
fn g5_a_repeat_gets_the_same_answer() {
    let mut run = good();
    let answer = run.history.records.iter().find_map(|record| match record.event {
        Event::Acknowledged { answer, .. } => Some(answer),
        _ => None,
    });
    let send_time_ms = 5;
    let answer = Answer {
        send_time_ms,
        ..answer.unwrap()
    };
    let message = token(1);
    run.history.on(0, Event::Acknowledged { message, answer });
    assert_eq!(
        run.settle().violations(),
        [
            "G5, other: m1 was answered number 1 of 1: own seq 1, conversation seq 1, at 0 ms, \
          and later number 1 of 1: own seq 1, conversation seq 1, at 5 ms"
        ]
    );
}

#[test]
fn g5_an_answer_is_true() {
    let mut run = good();
    run.alter_answer(1, |answer| answer.conversation_seq = 2);
    assert_eq!(
        run.settle().violations(),
        ["G5, other: m1 was answered number 1 of 1: own seq 1, conversation seq 2, at 0 ms, but it is [1] of p1-2"]
    );
}

#[test]
fn g6_nobody_has_what_is_not_for_them() {
    for (log, seq, text) in [
        (PAIR_LOG, 1, "G6, leaked: m1 of u1-u2 is at 3 in the inbox of u3"),
        (GROUP_LOG, 5, "G6, leaked: m3 of g7 is at 3 in the inbox of u3"),
    ] {
        let mut run = good();
        let Row::Entry(leaked) = run.tables.entry(log).rows[&seq].clone() else {
            panic!("it is there");
        };
        run.copy(3, &leaked);
        assert_eq!(run.settle().violations(), [text]);
    }
}

#[test]
fn g6_nobody_sends_what_they_may_not() {
    let mut run = good();
    run.send(4, 3, IN_GROUP);
    run.accept(4, IN_GROUP, &[3, 1, 2]);
    assert_eq!(
        run.settle().violations(),
        ["G6, leaked: m4 of u3 is in g7, although its sender was no member when it was sent"]
    );
}

#[test]
fn g7_every_device_has_everything_in_the_end() {
    let mut run = good().settle();
    let records = &mut run.history.records;
    records.retain(|record| match &record.event {
        Event::Came { observed, .. } => record.device != Some(1) || observed.token != Some(token(3)),
        Event::Cursor { .. } => record.device != Some(1),
        _ => true,
    });
    assert_eq!(run.violations(), ["G7, lost: u2.a, which is at 5, never got m3 at 6"]);
}

#[test]
fn a_message_is_answered() {
    let mut run = good();
    run.send(4, 1, PAIR);
    assert_eq!(
        run.settle().violations(),
        ["Answered, other: m4 to u1-u2 was never answered"]
    );
}

#[test]
fn a_connected_device_is_pushed_the_roll_call() {
    let mut run = good();
    let raw = run.history.add_device(2, "u2.b".to_owned(), DeviceKind::Raw);
    run.history.note(Event::Calm);
    run.history.on(raw, Event::Connected);
    let mut run = run.settle();
    let (message, user) = (token(3), 2);
    run.history.note(Event::RollCall { message, user });
    run.history.note(Event::RollCalled);
    assert_eq!(
        run.violations(),
        ["Pushed, lost: m3 was not pushed to u2.b, which was connected all the time"]
    );
}

#[test]
fn a_reader_of_one_timeline_gets_each_entry_once_and_in_order() {
    let mut run = good();
    let timeline = run.tables.entry(PAIR_LOG).clone();
    let all: Vec<(u64, Observed)> = timeline.entries().map(|(seq, it)| (seq, it.clone())).collect();
    let check = |passed: &[(u64, Observed)]| -> Vec<String> {
        let found = check_reader("the reader", PAIR_LOG, &timeline, passed, 2);
        found.iter().map(ToString::to_string).collect()
    };
    assert_eq!(check(&all), Vec::<String>::new());
    assert_eq!(
        check(&all[1..]),
        ["G3, lost: the cursor of the reader in p1-2 went to 2 and skipped m1 at 1"]
    );
    assert_eq!(
        check(&[all[0].clone(), all[0].clone(), all[1].clone()]),
        ["G2, duplicated: m1, at 1 of p1-2, came to the reader twice"]
    );
    assert_eq!(
        check(&[all[1].clone(), all[0].clone()]),
        ["G4, reordered: m1, at 1 of p1-2, came to the reader after 2"]
    );
    let mut other = all.clone();
    other[0].1.sender = 2;
    assert_eq!(
        check(&other),
        ["G7, other: m1 came to the reader as 1 of p1-2, which holds something else"]
    );
}
