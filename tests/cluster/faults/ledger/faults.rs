//! The faults, by name.

use std::time::Duration;

use super::scene::{MAX_IN_FLIGHT, PATIENCE, Scene, Setting};
use super::writers::Style;
use crate::support::{Answer, Mode, crash_thread, pool_threads, wait_for, wait_for_some};

/// Something that goes wrong while callbacks are written and delivered.
pub struct Fault {
    /// What the table calls it.
    pub name: &'static str,
    /// How the round begins.
    pub setting: Setting,
    /// How often it happens in a round, after some traffic each time.
    pub times: usize,
    /// Lets it happen once.
    pub strike: fn(&mut Scene),
}

/// How often a fault happens in a round, if it can happen more than once.
const TIMES: usize = 3;

/// How far into a file sessions may write while the disk is full: so much that the write-ahead
/// log, whose files are as large, is not concerned.
const FULL: u64 = 1 << 20;

/// The worker of the database.
const WORKER: &str = "select pid from pg_stat_activity
                      where backend_type = 'pgrx-ext worker' and datname = current_database()";

/// The writers' sessions.
const SESSIONS: &str = "select pid from pg_stat_activity
                        where application_name = 'writer'";

fn fault(name: &'static str, strike: fn(&mut Scene)) -> Fault {
    Fault {
        name,
        setting: Setting::default(),
        times: TIMES,
        strike,
    }
}

pub fn killed_worker() -> Fault {
    fault("kill -9 of the worker", |scene| {
        scene.worker_crashes();
        let pid = scene.some_process(WORKER);
        scene.cluster().kill(pid);
    })
}

/// The postmaster ends all sessions and recovers.
pub fn crashed_thread() -> Fault {
    Fault {
        // The pauses before a new worker double.
        times: 2,
        ..fault("a crash of one of the worker's threads", |scene| {
            scene.worker_crashes();
            let chosen = scene.random.rand_range(0..MAX_IN_FLIGHT as u64) as usize;
            let pid = wait_for_some(PATIENCE, "a worker with its threads", || {
                let pid = scene.some_process(WORKER).cast_signed();
                let thread = *pool_threads(pid).get(chosen)?;
                crash_thread(pid, thread, libc::SIGSEGV).then_some(pid)
            });
            wait_for(PATIENCE, "the worker ends", || pool_threads(pid).is_empty());
        })
    }
}

pub fn killed_session() -> Fault {
    fault("kill -9 of a session", |scene| {
        scene.worker_crashes();
        let pid = scene.some_process(SESSIONS);
        scene.cluster().kill(pid);
    })
}

pub fn killed_postmaster() -> Fault {
    fault("kill -9 of the postmaster", |scene| {
        scene.worker_crashes();
        scene.cluster().kill_postmaster();
        scene.cluster().start();
    })
}

pub fn immediate_stop() -> Fault {
    fault("stop -m immediate", |scene| {
        scene.worker_crashes();
        scene.cluster().restart(Mode::Immediate);
    })
}

pub fn immediate_stop_although_commits_do_not_wait() -> Fault {
    Fault {
        setting: Setting {
            cluster: |builder| {
                builder
                    .conf("synchronous_commit = off")
                    .conf("wal_writer_delay = '10s'")
            },
            ..Setting::default()
        },
        ..fault("stop -m immediate with synchronous_commit = off", |scene| {
            scene.worker_crashes();
            scene.cluster().restart(Mode::Immediate);
        })
    }
}

/// The worker waits for the answers that are on their way: nothing is received twice.
pub fn fast_restart_with_a_full_queue() -> Fault {
    fault("restart -m fast with a full queue", |scene| {
        scene.write_many(1000);
        scene.cluster().restart(Mode::Fast);
    })
}

/// As in a restart, nothing is received twice.
pub fn terminated_worker() -> Fault {
    Fault {
        // The pauses before a new worker double.
        times: 2,
        ..fault("pg_terminate_backend of the worker", |scene| {
            let pid = scene.some_process(WORKER);
            scene.number(&format!("select pg_terminate_backend({pid})::int"));
        })
    }
}

pub fn promoted_standby() -> Fault {
    Fault {
        times: 1,
        ..fault("promotion of a synchronous standby", |scene| {
            let primary = scene.cluster();
            let standby = primary.synchronous_standby();
            scene.traffic();
            scene.worker_crashes();
            primary.kill_postmaster();
            standby.promote();
            scene.move_to(standby);
        })
    }
}

pub fn savepoints_rolled_back() -> Fault {
    Fault {
        setting: Setting {
            style: Style::Savepoints,
            ..Setting::default()
        },
        ..fault("savepoints rolled back", |_| {})
    }
}

pub fn crash_among_prepared_transactions() -> Fault {
    Fault {
        setting: Setting {
            style: Style::Prepared,
            ..Setting::default()
        },
        ..fault("stop -m immediate among prepared transactions", |scene| {
            scene.worker_crashes();
            scene.cluster().restart(Mode::Immediate);
        })
    }
}

pub fn receiver_resets() -> Fault {
    receiver_fault("a receiver that resets", "60s", || Answer::Reset)
}

pub fn receiver_stalls() -> Fault {
    receiver_fault("a receiver that stalls", "2s", || Answer::Stall)
}

pub fn receiver_floods() -> Fault {
    receiver_fault("a receiver that floods", "60s", || Answer::Flood)
}

pub fn receiver_answers_late() -> Fault {
    receiver_fault("a receiver that answers after the timeout", "2s", || {
        Answer::ok().after(Duration::from_secs(4))
    })
}

/// A server whose timeout is so long gets some requests that are answered well and some that are
/// not, until enough are not.
fn receiver_fault(name: &'static str, timeout: &'static str, answer: fn() -> Answer) -> Fault {
    /// A request that is faulted can take as long as the timeout.
    const ENOUGH: usize = 5;
    Fault {
        setting: Setting {
            timeout,
            fault: Some(answer),
            ..Setting::default()
        },
        ..fault(name, |scene| {
            let enough = scene.faulted() + ENOUGH;
            scene.fault_some_requests(true);
            wait_for(PATIENCE, "faulted requests", || scene.faulted() >= enough);
            scene.fault_some_requests(false);
        })
    }
}

pub fn receiver_is_down() -> Fault {
    Fault {
        // The pauses between probes double.
        times: 2,
        ..fault("a receiver that is down for a while", |scene| {
            scene.take_receiver_down();
            let broken = "select count(*) from s2s.server_status where state = 'broken'";
            wait_for(PATIENCE, "the server is broken", || {
                scene.number(broken) == 1
            });
            scene.bring_receiver_up();
        })
    }
}

/// Sessions cannot extend the queue's file.
pub fn full_disk() -> Fault {
    Fault {
        setting: Setting {
            // Nothing makes room within the file.
            cluster: |builder| builder.small_wal_segments().conf("autovacuum = off"),
            ..Setting::default()
        },
        ..fault("a full disk for the queue", |scene| {
            let refused = |scene: &Scene| {
                let log = scene.cluster().log();
                log.matches("could not extend file").count()
            };
            let enough = refused(scene) + 5;
            scene.grow_queue(FULL);
            scene.limit_file_size(SESSIONS, Some(FULL));
            wait_for(PATIENCE, "statements fail", || refused(scene) >= enough);
            scene.limit_file_size(SESSIONS, None);
        })
    }
}
