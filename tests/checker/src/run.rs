//! Plays a world under faults, lets it come to rest, and judges it.
//!
//! All that is drawn is drawn from the seed: who is in which group, what each device does in which order, and what goes wrong in which call. When
//! things happen is up to the machine, so two runs of one seed are alike, not the same.

use crate::device::{Device, Endpoints};
use crate::explain::explain;
use crate::figures::Figures;
use crate::mutants::{Mutant, MutantBuild};
use crate::population::Population;
use crate::quiesce::{Quiesce, call_the_roll, connect_anew, look_back};
use crate::recorder::Recorder;
use crate::tables;
use crate::workload::{self, TemporarySetting};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use wigwag_cluster::{World, template};
use wigwag_invariants::{Event, Harm, History, Promise, Setting, Stage, Violation, judge};
use wigwag_local::build::Bootstraps;
use wigwag_local::faults::Plan;
use wigwag_local::lambda::{Line, Output};

/// How long a world may take to come to rest. Nothing takes so long that works: a lease is 10 s, a task that failed comes again after 30 s.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long it may take until everybody has ended what they are at: a device by hand says its last message until it is answered.
const HOMECOMING: Duration = Duration::from_mins(1);

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// Actors who change memberships.
const CHANGERS: usize = 3;

/// What is awaited in vain and named, at most.
const NAMED: usize = 5;

/// Violations whose stories are told.
const STORIES: usize = 5;

/// What is to be played.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How long everybody is at it before the faults stop.
    pub seconds: u64,
    /// Whose lives are drawn from it; also the seed of the faults.
    pub seed: u64,
    /// Devices that take part, beside the fresh ones at the end.
    pub clients: usize,
    /// What goes wrong.
    pub faults: Plan,
    /// A bug to run with: its build is made first.
    pub mutant: Option<Mutant>,
    /// Judge this often while everybody is at it, and end at the first violation. Without: at the end.
    pub judge_every: Option<Duration>,
    /// Where the history is written in the end, one JSON object per line.
    pub trace: Option<PathBuf>,
    /// Where what the functions print is written; nowhere without.
    pub logs: Option<PathBuf>,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The line of figures.
    pub figures: Figures,
    /// Nothing, if all promises held.
    pub violations: Vec<Violation>,
    /// The story of each of the first few of them.
    pub explanations: Vec<String>,
    /// When the first violation was found, if one was: since everybody began, in ms.
    pub caught_ms: Option<u64>,
}

/// How a play ended.
enum Ending {
    /// All have all.
    AtRest,
    /// This was still awaited when the patience was over.
    Restless(Vec<String>),
    /// A violation was found in the middle of it, after so many ms.
    Caught(u64),
    /// It was told to end.
    Stopped,
}

/// Plays, and judges.
///
/// # Errors
/// The stack does not start, or the tables cannot be read: that is no judgement.
pub async fn run(options: &RunOptions) -> Result<RunOutcome> {
    run_until(options, std::future::pending()).await
}

/// Plays, and judges what there is when it is over or `stop` comes, whichever is first.
///
/// # Errors
/// As [`run`].
pub async fn run_until(options: &RunOptions, stop: impl Future<Output = ()>) -> Result<RunOutcome> {
    let world = start(options).await?;
    let play = Play {
        options,
        world: &world,
        recorder: Recorder::default(),
    };
    let ending = tokio::select! {
        ending = Box::pin(play.play()) => ending?,
        () = stop => Ending::Stopped,
    };
    let outcome = play.judge(&ending).await;
    world.stop().await;
    outcome
}

/// Starts the project's template, or what a plant makes of it. Nothing goes wrong yet.
async fn start(options: &RunOptions) -> Result<World> {
    let build = match options.mutant {
        Some(mutant) => Some((MutantBuild::build().await?, mutant)),
        None => None,
    };
    let (template, bootstraps) = match &build {
        Some((build, mutant)) => (build.template(*mutant)?, build.bootstraps()),
        None => (template(), Bootstraps::default()),
    };
    let output = output(options.logs.as_deref())?;
    let world = World::with(|stack| {
        stack.template = template;
        stack.bootstraps = bootstraps;
        stack.fault_plan = options.faults.clone();
        stack.fault_seed = options.seed;
        stack.tuning.output = output;
    });
    let world = world.await?;
    world.stack.faults().pause();
    Ok(world)
}

/// Where the functions' output goes: it would bury everything else.
fn output(logs: Option<&Path>) -> Result<Output> {
    let (sender, mut lines) = mpsc::unbounded_channel::<Line>();
    if let Some(path) = logs {
        let file = File::create(path).with_context(|| format!("write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                // A full disk costs the log, not the run.
                let _ = writeln!(file, "[{}] {}", line.function, line.text);
            }
        });
    }
    Ok(Output::Channel(sender))
}

struct Play<'a> {
    options: &'a RunOptions,
    world: &'a World,
    recorder: Recorder,
}

impl Play<'_> {
    async fn play(&self) -> Result<Ending> {
        let (world, clients, seed) = (self.world, self.options.clients, self.options.seed);
        let endpoints = Endpoints::new(world, &self.recorder)?;
        let population = Arc::new(Box::pin(Population::create(world, &endpoints, clients, seed)).await?);
        let devices = population.devices(world, &endpoints, clients)?;
        let (over, is_over) = watch::channel(false);
        let mut actors = JoinSet::new();
        for device in devices {
            actors.spawn(workload::run_device(
                device,
                Arc::clone(&population),
                seed,
                is_over.clone(),
            ));
        }
        let changers = self.changers(&population, &is_over);
        world.stack.faults().resume();
        if let Some(caught_ms) = self.live().await? {
            return Ok(Ending::Caught(caught_ms));
        }
        world.stack.faults().pause();
        over.send_replace(true);
        self.recorder.note(Event::Calm);
        let mut devices = self.come_home(actors, changers).await?;
        connect_anew(&mut devices).await;
        look_back(&population, &mut devices).await;
        let mut rest = Quiesce::new(world, &population);
        if devices.len() < clients {
            let away = clients - devices.len();
            return Ok(Ending::Restless(vec![format!("{away} devices that are not home")]));
        }
        let mut awaited = rest.come(&mut devices, PATIENCE, |awaited| self.tell(awaited)).await;
        if awaited.is_empty() {
            devices.extend(population.fresh(world, &endpoints)?);
            awaited = rest.come(&mut devices, PATIENCE, |awaited| self.tell(awaited)).await;
        }
        if awaited.is_empty() {
            self.recorder.note(Event::Settled);
            call_the_roll(&population, &mut devices, &self.recorder).await;
            awaited = rest.come(&mut devices, PATIENCE, |awaited| self.tell(awaited)).await;
        }
        Ok(if awaited.is_empty() {
            Ending::AtRest
        } else {
            Ending::Restless(awaited)
        })
    }

    /// Lets those begin who change groups. Their futures are large, and on no stack but for this moment.
    fn changers(&self, population: &Arc<Population>, is_over: &watch::Receiver<bool>) -> JoinSet<Result<()>> {
        let (seed, seconds) = (self.options.seed, self.options.seconds);
        let mut changers = JoinSet::new();
        for nth in 0..CHANGERS {
            changers.spawn(workload::change_memberships(
                nth,
                Arc::clone(population),
                seed,
                is_over.clone(),
            ));
        }
        for passing in [
            TemporarySetting::MutesGroups,
            TemporarySetting::MutesMembers,
            TemporarySetting::OpensHistories,
        ] {
            changers.spawn(workload::change_settings(
                passing,
                Arc::clone(population),
                seed,
                is_over.clone(),
            ));
        }
        for fate in [Setting::Super, Setting::Dissolved] {
            changers.spawn(workload::replace_groups(
                fate,
                Arc::clone(population),
                seed,
                seconds,
                is_over.clone(),
            ));
        }
        changers
    }

    /// Lets everybody live for as long as was asked for, or until a violation is found; when that was, since they began.
    async fn live(&self) -> Result<Option<u64>> {
        let began = Instant::now();
        let end = began + Duration::from_secs(self.options.seconds);
        let mut judge_at = self.options.judge_every.map(|every| began + every);
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = sleep_until(end) => return Ok(None),
                _ = progress.tick() => self.tell(&[]),
                () = sleep_until(judge_at.unwrap_or(end)), if judge_at.is_some() => {
                    let history = self.recorder.history();
                    let tables = tables::read(self.world).await?;
                    if !judge(&history, &tables, Stage::Running).is_empty() {
                        return Ok(Some(millis(began.elapsed())));
                    }
                    judge_at = self.options.judge_every.map(|every| Instant::now() + every);
                }
            }
        }
    }

    /// Waits until every life has come to its end. Who does not come home in time is left out.
    async fn come_home(
        &self,
        mut actors: JoinSet<Result<Device>>,
        mut changers: JoinSet<Result<()>>,
    ) -> Result<Vec<Device>> {
        let mut devices = Vec::new();
        let until = Instant::now() + HOMECOMING;
        let mut tell = interval(PROGRESS);
        while Instant::now() < until && !(actors.is_empty() && changers.is_empty()) {
            tokio::select! {
                Some(device) = actors.join_next() => devices.push(device??),
                Some(changed) = changers.join_next() => changed??,
                _ = tell.tick() => {
                    let (away, changing) = (actors.len(), changers.len());
                    self.tell(&[format!("{away} devices, {changing} changers of groups")]);
                }
            }
        }
        devices.sort_by_key(|device: &Device| device.participant().index);
        Ok(devices)
    }

    async fn judge(&self, ending: &Ending) -> Result<RunOutcome> {
        let history = self.recorder.history();
        if let Some(path) = &self.options.trace {
            write_trace(path, self.options.seed, &history).with_context(|| format!("write {}", path.display()))?;
        }
        let tables = tables::read(self.world).await?;
        let stage = match ending {
            Ending::AtRest | Ending::Restless(_) => Stage::Settled,
            Ending::Caught(_) | Ending::Stopped => Stage::Running,
        };
        let mut violations = judge(&history, &tables, stage);
        if let Ending::Restless(awaited) = ending {
            // The rest of what is found says why, as a rule.
            violations.push(restless(awaited));
        }
        let faults = self.world.stack.faults().injected();
        let explanations = violations.iter().take(STORIES);
        Ok(RunOutcome {
            explanations: explanations
                .map(|violation| explain(violation, &history, &tables))
                .collect(),
            figures: Figures::count(&history, &tables, &violations, faults),
            caught_ms: match ending {
                Ending::Caught(caught_ms) => Some(*caught_ms),
                _ if violations.is_empty() => None,
                _ => history.records.last().map(|record| record.at_ms),
            },
            violations,
        })
    }

    /// One line of progress.
    fn tell(&self, awaited: &[String]) {
        if !self.options.progress {
            return;
        }
        let faults: u64 = self.world.stack.faults().injected().values().sum();
        let line = self.recorder.with(|history| {
            let count = |is: fn(&Event) -> bool| history.records.iter().filter(|record| is(&record.event)).count();
            let sent = count(|event| matches!(event, Event::Send { .. }));
            let acknowledged = count(|event| matches!(event, Event::Acknowledged { .. }));
            format!("{sent} sent, {acknowledged} acknowledgements, {faults} faults")
        });
        let awaited = match awaited {
            [] => String::new(),
            [event] => format!("; waiting for {event}"),
            [event, others @ ..] => format!("; waiting for {event}, and {} more", others.len()),
        };
        eprintln!("{:>4} s: {line}{awaited}", self.recorder.elapsed().as_secs());
    }
}

/// The violation that a world is which does not come to rest.
fn restless(awaited: &[String]) -> Violation {
    let named = awaited.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    Violation {
        promise: Promise::Answered,
        harm: Harm::Other,
        text: format!(
            "the world does not come to rest, without any fault: {} things are awaited: {named}",
            awaited.len()
        ),
        messages: Vec::new(),
        device: None,
        user: None,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A line about the run, then one for each record.
fn write_trace(path: &Path, seed: u64, history: &History) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let run = json!({"seed": seed, "devices": history.devices});
    writeln!(file, "{run}")?;
    for record in &history.records {
        serde_json::to_writer(&mut file, record)?;
        writeln!(file)?;
    }
    Ok(file.flush()?)
}
