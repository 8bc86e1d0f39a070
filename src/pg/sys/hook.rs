//! Hooks of the executor and of utility commands.
//!
//! An error in a statement jumps over these functions, which own nothing. PostgreSQL's own
//! functions are declared here without the wrapper that pgrx puts around them: the wrapper turns an
//! error that passes through into a new one, without its context and the constraint that it names.

use std::ffi::c_char;
use std::sync::OnceLock;

use pgrx::pg_sys;

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    fn standard_ExecutorFinish(query: *mut pg_sys::QueryDesc);

    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        is_read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// What runs before and after each statement's AFTER triggers; neither lets a Rust panic out.
struct AroundExecutorFinish {
    previous_hook: pg_sys::ExecutorFinish_hook_type,
    before: fn(),
    after: fn(),
}

static AROUND_EXECUTOR_FINISH: OnceLock<AroundExecutorFinish> = OnceLock::new();

/// Runs `before` and `after` around the AFTER triggers of each statement; `after` only if none of
/// them raised an error. To be called once, when the library is loaded.
#[allow(unsafe_code)]
pub fn around_executor_finish(before: fn(), after: fn()) {
    // SAFETY: the hook has the signature of the variable, which only this thread uses.
    unsafe {
        let _ = AROUND_EXECUTOR_FINISH.set(AroundExecutorFinish {
            previous_hook: pg_sys::ExecutorFinish_hook,
            before,
            after,
        });
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    let around = AROUND_EXECUTOR_FINISH.get();
    if let Some(around) = around {
        (around.before)();
    }
    // SAFETY: PostgreSQL's own argument is passed on.
    unsafe {
        match around.and_then(|around| around.previous_hook) {
            Some(previous_hook) => previous_hook(query),
            None => standard_ExecutorFinish(query),
        }
    }
    if let Some(around) = around {
        (around.after)();
    }
}

/// What runs before each utility command; it lets no Rust panic out. PostgreSQL calls it with a
/// parse tree of its own and within a database transaction.
pub type BeforeUtility =
    unsafe fn(command: *mut pg_sys::Node, context: pg_sys::ProcessUtilityContext::Type);

struct BeforeUtilityCommand {
    previous_hook: pg_sys::ProcessUtility_hook_type,
    before: BeforeUtility,
}

static BEFORE_UTILITY_COMMAND: OnceLock<BeforeUtilityCommand> = OnceLock::new();

/// Runs `before` before each utility command. To be called once, while libraries are preloaded.
#[allow(unsafe_code)]
pub fn before_utility_command(before: BeforeUtility) {
    // SAFETY: the hook has the signature of the variable, which only this thread uses.
    unsafe {
        let _ = BEFORE_UTILITY_COMMAND.set(BeforeUtilityCommand {
            previous_hook: pg_sys::ProcessUtility_hook,
            before,
        });
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[allow(unsafe_code)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    is_read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let hook = BEFORE_UTILITY_COMMAND.get();
    // SAFETY: PostgreSQL calls the hook with a utility statement; its arguments are passed on.
    unsafe {
        if let Some(hook) = hook {
            (hook.before)((*statement).utilityStmt, context);
        }
        let process_utility = match hook.and_then(|hook| hook.previous_hook) {
            Some(previous_hook) => previous_hook,
            None => standard_ProcessUtility,
        };
        process_utility(
            statement,
            query,
            is_read_only_tree,
            context,
            parameters,
            environment,
            destination,
            completion,
        );
    }
}
