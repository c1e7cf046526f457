//! A run: the workload under faults, then quiescing, then the judgement.
//!
//! The seed decides who is in which group, what each device does in which order, and which calls
//! fail. The machine decides when things happen, so two runs with one seed are alike, not the same.

use crate::device::{Endpoints, TestDevice};
use crate::explain::explain;
use crate::figures::Figures;
use crate::final_checks::{call_the_roll, read_histories, reconnect};
use crate::mutant_build::MutantBuild;
use crate::mutants::Mutant;
use crate::population::Population;
use crate::quiesce::Quiesce;
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
use wigwag_cluster::{Cluster, template};
use wigwag_invariants::{Event, Harm, History, Promise, Setting, Stage, Violation, judge};
use wigwag_local::build::Bootstraps;
use wigwag_local::faults::FaultPlan;
use wigwag_local::lambda::{Output, OutputLine};

/// How long quiescing may take. Nothing that works takes so long: a lease is 10 s, and a failed
/// task comes again after 30 s.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long devices may take to end what they do. A raw device repeats its last message until it is
/// answered.
const LAST_ACTIONS: Duration = Duration::from_mins(1);

/// The time between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// The number of actors that change memberships.
const CHANGERS: usize = 3;

/// How many of the things that never came a violation names.
const NAMED: usize = 5;

/// How many violations are explained.
const EXPLAINED: usize = 5;

/// How to run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How long the workload goes on before the faults stop, in seconds.
    pub seconds: u64,
    /// The seed of the workload and of the faults.
    pub seed: u64,
    /// Devices that take part, besides the fresh ones at the end.
    pub clients: usize,
    /// The faults.
    pub faults: FaultPlan,
    /// A mutant to run with. It is built first.
    pub mutant: Option<Mutant>,
    /// Judge this often while the workload goes on, and end at the first violation. `None`: judge
    /// at the end.
    pub judge_every: Option<Duration>,
    /// The file for the history, one JSON object per line.
    pub trace: Option<PathBuf>,
    /// The file for what the functions print.
    pub logs: Option<PathBuf>,
    /// Whether progress is shown on standard error.
    pub progress: bool,
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The figures.
    pub figures: Figures,
    /// Empty if all promises held.
    pub violations: Vec<Violation>,
    /// Explains the first few of them.
    pub explanations: Vec<String>,
    /// When the first violation was found, in ms since the workload began.
    pub caught_ms: Option<u64>,
}

/// How a run ended.
enum Ending {
    /// Everybody has everything.
    AtRest,
    /// This was still awaited when the patience was over.
    NeverAtRest(Vec<String>),
    /// A violation was found while the workload went on, after so many ms.
    Caught(u64),
    /// It was told to stop.
    Stopped,
}

/// Runs and judges.
///
/// # Errors
/// The stack does not start, or the tables cannot be read.
pub async fn run(options: &RunOptions) -> Result<RunOutcome> {
    run_until(options, std::future::pending()).await
}

/// Runs until the end or until `stop` is ready, and judges what there is by then.
///
/// # Errors
/// The same as [`run`].
pub async fn run_until(options: &RunOptions, stop: impl Future<Output = ()>) -> Result<RunOutcome> {
    let cluster = start(options).await?;
    let active = ActiveRun {
        options,
        cluster: &cluster,
        recorder: Recorder::default(),
    };
    let ending = tokio::select! {
        ending = Box::pin(active.play()) => ending?,
        () = stop => Ending::Stopped,
    };
    let outcome = active.judge(&ending).await;
    cluster.stop().await;
    outcome
}

/// Starts a stack of the project's template, or of the mutant's. There are no faults yet.
async fn start(options: &RunOptions) -> Result<Cluster> {
    let build = match options.mutant {
        Some(mutant) => Some((MutantBuild::build().await?, mutant)),
        None => None,
    };
    let (template, bootstraps) = match &build {
        Some((build, mutant)) => (build.template(*mutant)?, build.bootstraps()),
        None => (template(), Bootstraps::default()),
    };
    let output = output(options.logs.as_deref())?;
    let cluster = Cluster::with(|stack| {
        stack.template = template;
        stack.bootstraps = bootstraps;
        stack.fault_plan = options.faults.clone();
        stack.fault_seed = options.seed;
        stack.tuning.output = output;
    });
    let cluster = cluster.await?;
    cluster.stack.faults().pause();
    Ok(cluster)
}

/// Keeps the functions' output away from standard error, where it would hide everything else.
fn output(logs: Option<&Path>) -> Result<Output> {
    let (sender, mut lines) = mpsc::unbounded_channel::<OutputLine>();
    if let Some(path) = logs {
        let file = File::create(path).with_context(|| format!("write {}", path.display()))?;
        let mut file = BufWriter::new(file);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                // If the disk is full, only the log is lost.
                let _ = writeln!(file, "[{}] {}", line.function, line.text);
            }
        });
    }
    Ok(Output::Channel(sender))
}

struct ActiveRun<'a> {
    options: &'a RunOptions,
    cluster: &'a Cluster,
    recorder: Recorder,
}

impl ActiveRun<'_> {
    async fn play(&self) -> Result<Ending> {
        let (cluster, clients, seed) = (self.cluster, self.options.clients, self.options.seed);
        let endpoints = Endpoints::new(cluster, &self.recorder)?;
        let population = Arc::new(Box::pin(Population::create(cluster, &endpoints, clients, seed)).await?);
        let devices = population.devices(cluster, &endpoints, clients)?;
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
        cluster.stack.faults().resume();
        if let Some(caught_ms) = self.run_workload().await? {
            return Ok(Ending::Caught(caught_ms));
        }
        cluster.stack.faults().pause();
        over.send_replace(true);
        self.recorder.note(Event::Calm);
        let mut devices = self.wait_for_actors(actors, changers).await?;
        reconnect(&mut devices).await;
        read_histories(&population, &mut devices).await;
        let mut quiesce = Quiesce::new(cluster, &population);
        if devices.len() < clients {
            let away = clients - devices.len();
            return Ok(Ending::NeverAtRest(vec![format!("{away} devices that have not ended")]));
        }
        let mut awaited = quiesce
            .wait(&mut devices, PATIENCE, |awaited| self.report(awaited))
            .await;
        if awaited.is_empty() {
            devices.extend(population.fresh(cluster, &endpoints)?);
            awaited = quiesce
                .wait(&mut devices, PATIENCE, |awaited| self.report(awaited))
                .await;
        }
        if awaited.is_empty() {
            self.recorder.note(Event::Settled);
            call_the_roll(&population, &mut devices, &self.recorder).await;
            awaited = quiesce
                .wait(&mut devices, PATIENCE, |awaited| self.report(awaited))
                .await;
        }
        Ok(if awaited.is_empty() {
            Ending::AtRest
        } else {
            Ending::NeverAtRest(awaited)
        })
    }

    /// Starts the actors that change groups. Their futures are large: none stays on this stack.
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
            TemporarySetting::MutedGroup,
            TemporarySetting::MutedMember,
            TemporarySetting::OpenHistory,
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

    /// Lets the workload go on for its time, or until a violation is found. Returns when that was.
    async fn run_workload(&self) -> Result<Option<u64>> {
        let began = Instant::now();
        let end = began + Duration::from_secs(self.options.seconds);
        let mut judge_at = self.options.judge_every.map(|every| began + every);
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = sleep_until(end) => return Ok(None),
                _ = progress.tick() => self.report(&[]),
                () = sleep_until(judge_at.unwrap_or(end)), if judge_at.is_some() => {
                    let history = self.recorder.history();
                    let tables = tables::read(self.cluster).await?;
                    if !judge(&history, &tables, Stage::Running).is_empty() {
                        return Ok(Some(millis(began.elapsed())));
                    }
                    judge_at = self.options.judge_every.map(|every| Instant::now() + every);
                }
            }
        }
    }

    /// Waits until all actors have ended. Devices that do not end in time are left out.
    async fn wait_for_actors(
        &self,
        mut actors: JoinSet<Result<TestDevice>>,
        mut changers: JoinSet<Result<()>>,
    ) -> Result<Vec<TestDevice>> {
        let mut devices = Vec::new();
        let until = Instant::now() + LAST_ACTIONS;
        let mut tell = interval(PROGRESS);
        while Instant::now() < until && !(actors.is_empty() && changers.is_empty()) {
            tokio::select! {
                Some(device) = actors.join_next() => devices.push(device??),
                Some(changed) = changers.join_next() => changed??,
                _ = tell.tick() => {
                    let (away, changing) = (actors.len(), changers.len());
                    self.report(&[format!("{away} devices, {changing} changers of groups")]);
                }
            }
        }
        devices.sort_by_key(|device: &TestDevice| device.participant().index);
        Ok(devices)
    }

    async fn judge(&self, ending: &Ending) -> Result<RunOutcome> {
        let history = self.recorder.history();
        if let Some(path) = &self.options.trace {
            write_trace(path, self.options.seed, &history).with_context(|| format!("write {}", path.display()))?;
        }
        let tables = tables::read(self.cluster).await?;
        let stage = match ending {
            Ending::AtRest | Ending::NeverAtRest(_) => Stage::Settled,
            Ending::Caught(_) | Ending::Stopped => Stage::Running,
        };
        let mut violations = judge(&history, &tables, stage);
        if let Ending::NeverAtRest(awaited) = ending {
            // The other violations usually tell why.
            violations.push(never_at_rest(awaited));
        }
        let faults = self.cluster.stack.faults().injected();
        let explanations = violations.iter().take(EXPLAINED);
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

    /// Prints a line of progress.
    fn report(&self, awaited: &[String]) {
        if !self.options.progress {
            return;
        }
        let faults: u64 = self.cluster.stack.faults().injected().values().sum();
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

/// The violation if a run never comes to rest.
fn never_at_rest(awaited: &[String]) -> Violation {
    let named = awaited.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    Violation {
        promise: Promise::Answered,
        harm: Harm::Other,
        text: format!(
            "the run does not come to rest, although there are no faults any more: {} things are awaited: {named}",
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
