//! A program that records itself: `cargo run --example record_my_app`, then open `my_app.inferscope`.

use std::error::Error;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use inferscope::export;
use inferscope::record::{self, Options};
use inferscope::{phase, profiled, scope};

profiled! {
    /// Its calls are spans of its thread.
    fn find_documents(question: &str) -> Vec<String> {
        let words: Vec<&str> = question.split(' ').collect();
        let _scope = scope!("rank", words = words.len());
        sleep(Duration::from_millis(20));
        words.iter().map(|w| format!("about {w}")).collect()
    }

    /// Its calls are spans of their task, with the time they waited apart from the time they worked.
    async fn ask(question: &str) -> Result<String, std::num::ParseIntError> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer: u32 = "42".parse()?;
        Ok(format!("{question} {answer}"))
    }
}

/// The recording then knows which function holds how much memory.
#[global_allocator]
static ALLOCATOR: record::CountingAllocator = record::CountingAllocator;

fn main() -> Result<(), Box<dyn Error>> {
    let recording = record::begin("my app", Options::default())?;

    let retrieving = phase!("retrieve");
    let documents = find_documents("what is it");
    drop(retrieving);

    let _answering = phase!("answer");
    let request = record::request("question 1", "my model", &documents.join(", "));
    request.scheduled();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let answer = runtime.block_on(ask("The answer is"))?;
    request.push_text(&answer);
    request.done();

    let path = Path::new("my_app.inferscope");
    export::write_session(&*recording.finish()?, path)?;
    println!("{answer}\nRecorded: open {} with inferscope", path.display());
    Ok(())
}
