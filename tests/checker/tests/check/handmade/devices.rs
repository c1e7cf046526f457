//! What devices do with what the system has for them.

use super::*;

impl Run {
    /// An SDK device gets everything: by its inbox, and by the logs of its super groups.
    pub(super) fn sync(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let after = self.inboxes.get(&device).copied().unwrap_or_default();
        let timeline = self.tables.inbox(user).cloned().unwrap_or_default();
        for (seq, observed) in timeline.entries().filter(|(seq, _)| *seq > after) {
            let by = Channel::Inbox;
            let observed = observed.clone();
            let is_super = self.is_super(observed.conversation, observed.conversation_seq);
            let begins = match (observed.conversation, &observed.change) {
                (Conversation::Group(_), Some((ROLE, _))) if is_super => continue,
                (Conversation::Group(group), Some((BECAME_SUPER, _))) => {
                    Some((group, self.super_after(group).expect("it is one")))
                }
                (Conversation::Group(group), Some(_)) if is_super => Some((group, observed.conversation_seq)),
                _ => None,
            };
            if let Some((group, seq)) = begins {
                self.on(device, Event::GroupCursor { group, seq });
                self.logs.insert((device, group), seq);
            }
            self.on(device, Event::Came { by, observed });
            self.inboxes.insert(device, seq);
        }
        let seq = timeline.counter;
        self.on(device, Event::Cursor { seq });
        self.inboxes.insert(device, seq);
        for group in [SUPER, BECOMING] {
            let is_member = self.members.get(&group).is_some_and(|members| members.contains(&user));
            if is_member && self.super_after(group).is_some() {
                self.follow(device, group);
            }
        }
    }

    /// An SDK device gets the new messages of a super group.
    pub(super) fn follow(&mut self, device: DeviceIndex, group: GroupId) {
        let user = self.user(device);
        let log = self.tables.log(Conversation::Group(group)).cloned().unwrap_or_default();
        let after = self.logs.get(&(device, group)).copied().unwrap_or_default();
        for (_, observed) in log.entries().filter(|(seq, _)| *seq > after) {
            let by_inbox = observed.change.as_ref().is_some_and(|(kind, users)| match *kind {
                ROLE => false,
                BECAME_SUPER => true,
                _ => users.contains(&user),
            });
            if !by_inbox {
                let (by, observed) = (Channel::GroupLog, observed.clone());
                self.on(device, Event::Came { by, observed });
            }
        }
        let seq = log.counter;
        self.on(device, Event::GroupCursor { group, seq });
        self.logs.insert((device, group), seq);
    }

    /// A raw device is pushed the last message of its inbox.
    pub(super) fn push(&mut self, device: DeviceIndex) {
        let user = self.user(device);
        let inbox = self.tables.inbox(user).expect("the user has an inbox");
        let observed = inbox.entries().last().expect("the inbox has a message").1.clone();
        self.on(
            device,
            Event::Came {
                by: Channel::Push,
                observed,
            },
        );
    }

    /// A raw device reads its whole inbox.
    pub(super) fn sync_by_hand(&mut self, device: DeviceIndex) {
        let timeline = self.tables.inbox(self.user(device)).cloned().unwrap_or_default();
        for (_, observed) in timeline.entries() {
            let (by, observed) = (Channel::Sync, observed.clone());
            self.on(device, Event::Came { by, observed });
        }
        self.on(device, Event::Cursor { seq: timeline.counter });
    }

    /// A raw device reads messages of a log.
    pub(super) fn pull(&mut self, device: DeviceIndex, log: TimelineKey, numbers: &[u64]) {
        for number in numbers {
            let observed = self.at(log, *number).1;
            self.on(
                device,
                Event::Came {
                    by: Channel::Pull,
                    observed,
                },
            );
        }
    }

    pub(super) fn reinstall(&mut self, device: DeviceIndex) {
        self.inboxes.remove(&device);
        self.logs.retain(|(of, _), _| *of != device);
        self.on(device, Event::Installed);
        self.on(device, Event::Connected);
    }
}
