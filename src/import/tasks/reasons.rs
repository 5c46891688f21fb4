//! Which coroutines of the standard library only wait, and what woke a task, by file and name.

use crate::import::stacks;
use crate::model::keys::names;

/// Coroutines whose time is a wait: file of asyncio, last parts of names (before Python 3.11 nothing else is known).
const WAITS: &[(&str, &[&str])] = &[
    ("base_events.py", &["_sock_sendfile_native", "getaddrinfo", "getnameinfo"]),
    ("base_subprocess.py", &["_wait"]),
    ("locks.py", &["acquire", "wait", "_block", "_wait"]),
    ("proactor_events.py", SOCKETS),
    ("queues.py", &["get", "put", "join"]),
    ("selector_events.py", SOCKETS),
    ("streams.py", &["_wait_for_data", "_drain_helper", "wait_closed"]),
    ("taskgroups.py", &["__aexit__", "_aexit"]),
    ("tasks.py", &["sleep", "__sleep0", "_wait", "_cancel_and_wait", "_wait_for_one"]),
];
const SOCKETS: &[&str] = &[
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendto",
    "sock_connect",
    "_sock_connect",
    "sock_accept",
];

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Its file within asyncio.
fn file_of_asyncio(file: &str) -> Option<String> {
    names::file(file).strip_prefix("asyncio/").map(str::to_owned)
}

/// True for a coroutine that only waits.
pub(super) fn waits(file: &str, name: &str) -> bool {
    let Some(file) = file_of_asyncio(file) else { return false };
    WAITS.iter().any(|(known, names)| *known == file && names.contains(&last(name)))
}

/// True for what stands between: what `async with lock` calls before it acquires the lock, and the recorder's own coroutines.
pub(super) fn is_between(file: &str, name: &str) -> bool {
    is_of_recorder(file)
        || file_of_asyncio(file).is_some_and(|f| f == "locks.py")
            && matches!(last(name), "__aenter__" | "__aexit__")
}

/// True for what the recorder of HTTP requests puts between a library and its transport.
fn is_of_recorder(file: &str) -> bool {
    file.strip_prefix(stacks::INSIDE).is_some_and(|name| name.starts_with("_http"))
}

/// What called the loop to let a task run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waker {
    /// A timer.
    Timer,
    /// A timer, or the end of the task that was waited for until then.
    TimerOrMade,
    /// The end of a task that is among those it waits for.
    Member,
    /// The end of some task.
    AnyTask,
    /// Something whose end the loop has told of: a task that has just ended, or a future.
    Told,
    /// Another thread or loop.
    Elsewhere,
    /// Code of whoever runs, or of the loop.
    Other,
}

/// The waker by the code that called `call_soon` while no task was on.
pub(super) fn waker(file: &str, name: &str) -> Waker {
    match file_of_asyncio(file).as_deref() {
        Some("futures.py") if name == "_set_result_unless_cancelled" => Waker::Timer,
        Some("timeouts.py") if last(name) == "_on_timeout" => Waker::Timer,
        Some("tasks.py") if last(name) == "_release_waiter" => Waker::TimerOrMade,
        Some("futures.py") if matches!(last(name), "_copy_future_state" | "_set_state") => Waker::Elsewhere,
        Some("tasks.py") if last(name) == "_done_callback" => Waker::Member,
        Some("tasks.py") if matches!(last(name), "_on_completion" | "_inner_done_callback") => Waker::AnyTask,
        Some("taskgroups.py") if last(name) == "_on_task_done" => Waker::AnyTask,
        Some("events.py") if last(name) == "_run" => Waker::Told,
        _ => Waker::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coroutines_wait_by_file_and_name() {
        assert!(waits("/usr/lib/python3.12/asyncio/tasks.py", "sleep"));
        assert!(waits("C:\\Python38\\Lib\\asyncio\\queues.py", "get"));
        assert!(waits("/usr/lib/python3.12/asyncio/queues.py", "Queue.get"));
        assert!(!waits("/home/me/asyncio_app/queues.py", "Queue.get"));
        assert!(!waits("/usr/lib/python3.12/asyncio/tasks.py", "wait_for"));
    }

    #[test]
    fn coroutines_of_the_recorder_stand_between() {
        assert!(is_between("<inferscope _http_httpx>", "install.<locals>.asend"));
        assert!(!is_between("/home/me/inject/http.py", "send") && !is_between("/home/me/_http.py", "send"));
    }

    #[test]
    fn wakers_are_known_by_who_called() {
        let of = |file: &str, name| waker(&format!("/usr/lib/python3.12/asyncio/{file}"), name);
        assert_eq!(of("futures.py", "_set_result_unless_cancelled"), Waker::Timer);
        assert_eq!(of("tasks.py", "gather.<locals>._done_callback"), Waker::Member);
        assert_eq!(of("events.py", "Handle._run"), Waker::Told);
        assert_eq!(of("queues.py", "Queue._wakeup_next"), Waker::Other);
    }
}
