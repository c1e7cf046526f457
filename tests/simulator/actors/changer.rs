//! A changer changes a group again and again: one change after the other, each repeated until it is
//! answered.

use super::{Outcome, Process};
use crate::harness::NOW;
use crate::harness::group::GROUP;
use crate::world::World;
use wigwag_domain::UserId;
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::relation::MessagesFrom;
use wigwag_invariants::{Event, Turn};
use wigwag_messaging::change_group::ChangeError;
use wigwag_protocol::Code;

/// How a changer goes about its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Repeats a change until it is made. None of its changes may be refused, but for `BUSY`. Its
    /// attempts are a millisecond apart.
    Careful,
    /// Goes on to the next change after a refusal. All its attempts are in one millisecond.
    Hasty,
}

/// Makes its changes in order.
pub(crate) struct Changer {
    /// Each with the user who asks for it.
    changes: Vec<(UserId, Wanted)>,
    manner: Manner,
    /// How many changes have begun. Only the last one may be unanswered.
    begun: usize,
    /// How many changes are answered or given up.
    settled: usize,
    /// Attempts at the last change.
    tries: u32,
    /// How many answers said that something was changed.
    pub(crate) made: usize,
}

impl Changer {
    pub(crate) fn new(changes: Vec<(UserId, Wanted)>, manner: Manner) -> Self {
        Self {
            changes,
            manner,
            begun: 0,
            settled: 0,
            tries: 0,
            made: 0,
        }
    }

    /// Whether no change is unanswered.
    pub(crate) fn is_answered(&self) -> bool {
        self.settled == self.begun
    }

    pub(crate) fn is_done(&self) -> bool {
        self.settled == self.changes.len()
    }

    /// Whether it may not try its present change again.
    pub(crate) fn has_tried(&self, tries: u32) -> bool {
        !self.is_answered() && self.tries >= tries
    }

    /// Gives its present change up.
    pub(crate) fn give_up(&mut self) {
        self.settled = self.begun;
    }

    /// The memberships that one of its changes is about.
    fn memberships(&self, change: usize) -> Vec<(UserId, Turn)> {
        let (actor, wanted) = &self.changes[change];
        let all = |users: &[UserId], turn| users.iter().map(|user| (*user, turn)).collect();
        match wanted {
            Wanted::Add(users) => all(users, Turn::Joins),
            Wanted::Remove(users) => all(users, Turn::Leaves),
            Wanted::Leave => all(&[*actor], Turn::Leaves),
            _ => Vec::new(),
        }
    }
}

impl World {
    /// The number of running attempts of a changer.
    pub(crate) fn attempts_of(&self, changer: usize) -> usize {
        self.running(|process| matches!(process, Process::Change { changer: its, .. } if its == changer))
            .len()
    }

    /// Begins a changer's next change, or tries its unanswered one again.
    pub(crate) fn attempt_change(&mut self, changer: usize) -> Process {
        let it = &mut self.changers[changer];
        if it.is_answered() {
            it.begun += 1;
            it.tries = 0;
            for (user, turn) in it.memberships(it.begun - 1) {
                let group = GROUP;
                self.history.note(Event::Change {
                    group: group.0,
                    user: user.0,
                    turn,
                });
            }
        }
        it.tries += 1;
        let change = it.begun - 1;
        let process = Process::Change {
            changer,
            change,
            number: it.tries,
        };
        let (store, queue, (actor, wanted)) = (self.store.clone(), self.queue.clone(), it.changes[change].clone());
        let now_ms = match it.manner {
            Manner::Careful => NOW + i64::from(it.tries),
            Manner::Hasty => NOW,
        };
        self.scheduler
            .note(&format_args!("{process}: user {actor}, {wanted:?}"));
        self.scheduler.start(process, async move {
            Outcome::Changed(
                wigwag_messaging::change_group(&store, &queue, GROUP, actor, &wanted, MessagesFrom::Anyone, now_ms)
                    .await,
            )
        });
        self.judge();
        process
    }

    /// Makes the rest of a changer's changes.
    pub(crate) fn finish_changer(&mut self, changer: usize) {
        let mut tries = 0;
        self.run_out(Process::is_change);
        while !self.changers[changer].is_done() && self.errors.is_empty() {
            tries = if self.changers[changer].is_answered() {
                0
            } else {
                tries + 1
            };
            let process = self.attempt_change(changer);
            self.last_try(process, tries);
        }
    }

    pub(super) fn group_was_changed(
        &mut self,
        process: Process,
        changer: usize,
        change: usize,
        result: Result<Changed, ChangeError>,
    ) {
        self.scheduler.note(&format_args!("{process}: {result:?}"));
        let it = &mut self.changers[changer];
        let is_settled = match result {
            Ok(answer) => {
                it.made += usize::from(!answer.changed.is_empty());
                for (user, turn) in it.memberships(change) {
                    let group = GROUP;
                    self.history.note(Event::Changed {
                        group: group.0,
                        user: user.0,
                        turn,
                    });
                }
                true
            }
            Err(ChangeError::Store(error)) if error.is_retryable() => false,
            Err(ChangeError::Refused(_) | ChangeError::RefusedFor(..)) if it.manner == Manner::Hasty => true,
            Err(ChangeError::Refused(Code::BUSY)) => false,
            Err(error) => {
                self.errors.push(format!("{process}: {error}"));
                false
            }
        };
        if is_settled && it.settled == change {
            it.settled += 1;
        }
    }
}
