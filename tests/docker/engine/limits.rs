//! Limits, as the engine tells them and as the kernel has them.

use wiber_chaos::cluster::engine::{Engine, Limits};

use super::containers::{Made, docker};

const MIB: u64 = 1 << 20;

/// What the kernel says inside a container: thousandths of a processor, and bytes; `None` for no limit.
fn kernel(container: &str) -> (Option<i64>, Option<u64>) {
    let script = "if [ -e /sys/fs/cgroup/cpu.max ]; then cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max; else \
                  cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes; fi";
    let told = docker(&["exec", container, "sh", "-c", script]);
    let [quota, period, memory] = told.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("three numbers: {told}")
    };
    let quota = quota.parse::<i64>().ok().filter(|quota_us| *quota_us > 0);
    let period_us: i64 = period.parse().expect("a period");
    let memory = memory.parse::<u64>().ok().filter(|bytes| *bytes < 1 << 60);
    (quota.map(|quota_us| quota_us * 1000 / period_us), memory)
}

#[tokio::test]
async fn limits_bind_in_the_kernel_and_are_lifted_again() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let container = made.container("limits", &[]);
    assert_eq!(engine.limits(&container).await.expect("limits"), Limits::UNLIMITED);

    let tight = Limits::UNLIMITED.with_cpu(250).with_memory(64 * MIB);
    engine.limit(&container, &tight).await.expect("limited");
    assert_eq!(kernel(&container), (Some(250), Some(64 * MIB)));
    let told = engine.limits(&container).await.expect("limits");
    assert_eq!((told.cpu_millis, told.memory_bytes), (Some(250), Some(64 * MIB)));
    engine.limit(&container, &tight).await.expect("once more is fine");

    engine.limit(&container, &Limits::UNLIMITED).await.expect("lifted");
    assert_eq!(kernel(&container), (None, None));
    let told = engine.limits(&container).await.expect("limits");
    assert_eq!((told.cpu_millis, told.memory_bytes), (None, None));

    // Lifted is not forgotten when the container starts again.
    docker(&["restart", "-t", "0", &container]);
    assert_eq!(kernel(&container), (None, None));
}

#[tokio::test]
async fn a_container_that_was_made_with_limits_gets_them_back() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    // `--cpus` and `--cpu-quota` are two ways in which the engine refuses to change one for the other.
    for (name, args) in
        [("nano", ["--cpus", "0.75", "--memory", "128m"]), ("quota", ["--cpu-quota", "75000", "--memory", "128m"])]
    {
        let container = made.container(name, &args);
        let old = engine.limits(&container).await.expect("limits");
        assert_eq!((old.cpu_millis, old.memory_bytes), (Some(750), Some(128 * MIB)), "{name}");
        let tight = old.with_cpu(100).with_memory(32 * MIB);
        engine.limit(&container, &tight).await.expect("limited");
        assert_eq!(kernel(&container), (Some(100), Some(32 * MIB)), "{name}");
        engine.limit(&container, &old).await.expect("undone");
        assert_eq!(kernel(&container), (Some(750), Some(128 * MIB)), "{name}");
        assert_eq!(engine.limits(&container).await.expect("limits"), old, "{name}");
    }
}

#[tokio::test]
async fn what_the_engine_refuses_is_an_error_in_its_own_words() {
    let engine = Engine::connect().await.expect("an engine");
    let mut made = Made::default();
    let container = made.container("refused", &[]);
    let too_little = Limits::UNLIMITED.with_memory(MIB);
    let error = engine.limit(&container, &too_little).await.expect_err("no container runs in a MiB").to_string();
    assert!(error.contains("Minimum memory limit"), "{error}");
    assert_eq!(engine.limits(&container).await.expect("limits"), Limits::UNLIMITED);
}
