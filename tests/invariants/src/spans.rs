//! When something was true, concluded from what was done to make it so.
//!
//! A change takes effect somewhere between its two events. So there are times when it surely was
//! true, times when it surely was not, and others about which nothing is concluded.

use crate::history::Moment;
use std::collections::BTreeMap;

/// From becoming true to ceasing to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From here on it may be true.
    from: Moment,
    /// From here on it is true; `None`: never surely.
    sure_from: Option<Moment>,
    /// From here on it may have ended.
    sure_until: Option<Moment>,
    /// From here on it is not true.
    until: Option<Moment>,
}

/// A change that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whether it turns it on or off.
    pub is_on: bool,
    /// When it was begun.
    pub begun: Moment,
    /// When it was made; `None` if nobody knows whether it was.
    pub done: Option<Moment>,
}

/// What an event tells of a change.
#[derive(Debug, Clone, Copy)]
pub enum StepEvent {
    /// It begins.
    Begun {
        /// Whether it turns it on or off.
        is_on: bool,
    },
    /// It is made.
    Done {
        /// Whether it turned it on or off.
        is_on: bool,
    },
}

/// When each of several things was true.
#[derive(Debug)]
pub struct Spans<K> {
    steps: BTreeMap<K, Vec<Step>>,
    spans: BTreeMap<K, Vec<Span>>,
}

impl<K> Default for Spans<K> {
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            spans: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy> Spans<K> {
    /// From what was told when, in order.
    pub fn from_events(events: impl Iterator<Item = (Moment, K, StepEvent)>) -> Self {
        let mut steps: BTreeMap<K, Vec<Step>> = BTreeMap::new();
        for (at, key, event) in events {
            let steps = steps.entry(key).or_default();
            let last = steps.last_mut();
            match event {
                StepEvent::Begun { is_on } => {
                    // A change that is tried again is one change.
                    if !last.is_some_and(|last| last.done.is_none() && last.is_on == is_on) {
                        let (begun, done) = (at, None);
                        steps.push(Step { is_on, begun, done });
                    }
                }
                StepEvent::Done { is_on } => {
                    if let Some(step) = last.filter(|step| step.is_on == is_on) {
                        step.done.get_or_insert(at);
                    }
                }
            }
        }
        let spans = steps.iter().map(|(key, steps)| (*key, spans(steps))).collect();
        Self { steps, spans }
    }

    /// The changes of one of them, in order.
    pub fn steps(&self, key: K) -> &[Step] {
        self.steps.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The changes of all of them, in order.
    pub fn all_steps(&self) -> impl Iterator<Item = (K, &[Step])> {
        self.steps.iter().map(|(key, steps)| (*key, steps.as_slice()))
    }

    /// The span in which it surely was true from before `from` until after `until`.
    pub fn sure_span(&self, key: K, from: Moment, until: Moment) -> Option<Span> {
        let mut spans = self.spans(key).iter().copied();
        spans.find(|span| {
            span.sure_from.is_some_and(|sure| sure < from) && span.sure_until.is_none_or(|sure| sure > until)
        })
    }

    /// Whether it surely was true from before `from` until after `until`.
    pub fn surely(&self, key: K, from: Moment, until: Moment) -> bool {
        self.sure_span(key, from, until).is_some()
    }

    /// Whether it may have been true at some time between `from` and `until`.
    pub fn possibly(&self, key: K, from: Moment, until: Moment) -> bool {
        let mut spans = self.spans(key).iter();
        spans.any(|span| span.from <= until && span.until.is_none_or(|gone| gone >= from))
    }

    fn spans(&self, key: K) -> &[Span] {
        self.spans.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl Span {
    /// Whether nobody has begun to end it.
    pub fn lasts(self) -> bool {
        self.sure_until.is_none()
    }
}

/// A step that turns it on begins a span, and one that turns it off ends the span.
fn spans(steps: &[Step]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for step in steps {
        match (step.is_on, spans.last_mut().filter(|span| span.until.is_none())) {
            (true, None) => spans.push(Span {
                from: step.begun,
                sure_from: step.done,
                sure_until: None,
                until: None,
            }),
            // Nobody knows whether the step before it was made. From here on it does not matter.
            (true, Some(span)) => {
                span.sure_from = step.done;
                span.sure_until = None;
            }
            (false, Some(span)) => {
                span.sure_until.get_or_insert(step.begun);
                span.until = step.done;
            }
            (false, None) => {}
        }
    }
    spans
}
