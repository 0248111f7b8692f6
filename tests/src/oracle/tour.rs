//! A client's way through every mode of the lab with the smallest workload, a few modes at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Mode, Scene, Verdict, Workload};

/// Runs a client in each mode, and says what is not as it should be. `run` gets the scene and the budget for connecting.
///
/// # Panics
/// When a scene cannot be set, or `run` panics.
pub async fn tour<R, F>(at_once: usize, run: R) -> Vec<String>
where
    R: Fn(Scene, Workload, Duration) -> F + Clone + Send + 'static,
    F: Future<Output = Verdict> + Send,
{
    let room = Arc::new(Semaphore::new(at_once));
    let mut runs = JoinSet::new();
    for mode in Mode::all() {
        let (room, run) = (room.clone(), run.clone());
        runs.spawn(async move {
            let _place = room.acquire().await.expect("the semaphore stays open");
            let workload = Workload::Small;
            let scene = Scene::start(mode.between, workload).await;
            let scene = scene.unwrap_or_else(|error| panic!("{mode}: {error}"));
            let verdict = run(scene, workload, mode.connect_timeout()).await;
            let trouble = mode.trouble(workload, &verdict)?;
            let trace = verdict.trace.join("\n    ");
            Some(format!("{mode}: {trouble}\n    {trace}"))
        });
    }
    runs.join_all().await.into_iter().flatten().collect()
}
