//! What can be read, and what is said of what cannot.

use crate::jepsen::{History, ReadError, read};

const SEND: &str = "{:index 0, :time 10, :process 0, :type :invoke, :f :send, :value [[:send 0 1]]}";
const SENT: &str = "{:index 1, :time 20, :process 0, :type :ok, :f :send, :value [[:send 0 [0 1]]]}";

fn indices(history: &History) -> Vec<i64> {
    history.ops.iter().map(|op| op.index).collect()
}

#[test]
fn one_operation_a_line_and_one_vector_are_the_same() {
    let lines = format!("; a comment\n{SEND}\n{SENT}\n");
    for text in [
        lines.clone(),
        format!("[{SEND}\n {SENT}]\n"),
        format!("({SEND},{SENT})"),
        format!("#jepsen.history.Op {SEND}\n#jepsen.history.Op{SENT}"),
    ] {
        let history = read(&text).expect("legal");
        assert_eq!(indices(&history), [0, 1], "{text}");
        assert_eq!(history.ops[1].writes, read(&lines).expect("legal").ops[1].writes);
    }
}

#[test]
fn operations_of_others_than_clients_are_passed_over_whatever_they_say() {
    let nemesis = "{:index 1, :process :nemesis, :type :info, :f :start, :value [:isolated #{\"n1\"}]}";
    let history = read(&format!("{SEND}\n{nemesis}\n{}", SENT.replace(":index 1", ":index 2"))).expect("legal");
    assert_eq!(indices(&history), [0, 2]);
    assert_eq!(history.ops[1].line, 3);
}

#[test]
fn operations_without_an_index_are_counted_the_nemesis_included() {
    let history = read(
        "{:process :nemesis :type :info :f :kill}
         {:process 0 :type :invoke :f :poll :value [[:poll]] :unseen {0 {:polled -1, :sent 3}}}
         {:process 0 :type :info :f :poll :value [[:poll {}]] :error [:timeout \"10 s\"]}",
    )
    .expect("legal");
    assert_eq!(indices(&history), [1, 2]);
}

#[test]
fn real_operations_carry_much_that_is_not_looked_into() {
    read(
        "{:process 0, :type :invoke, :f :subscribe, :value [1 2], :time -1}
         {:process 0, :type :info, :f :subscribe, :value [1 2], :exception {:via [{:type org.apache.kafka.common.errors.TimeoutException, :message \"a \\\"b\\\"\", :at [java.util.concurrent.FutureTask run \"FutureTask.java\" 264]}], :trace []}, :error [:indeterminate 1.5]}
         {:process 1, :type :info, :f :debug-topic-partitions, :value {1 {:leader \\a}}}",
    )
    .expect("legal");
}

/// What is wrong with a history, in its line.
#[track_caller]
fn wrong(text: &str, line: usize, what: &str, help: &str) {
    let error = read(text).expect_err("no legal history");
    let told = error.to_string();
    assert!(told.starts_with(&format!("line {line}: ")) && told.contains(what), "{told}");
    assert!(error.help().contains(help), "{}", error.help());
}

#[test]
fn broken_edn_is_named_by_its_line() {
    wrong(&format!("{SEND}\n{SENT}\n{{:index 2"), 3, "never closed", "one operation a line");
    wrong(&format!("[{SEND}\n{SENT}"), 2, "the file ends before the ]", "a vector of operations");
    wrong(&format!("[{SEND}]\n{SENT}"), 2, "more after the ]", "a vector");
    wrong(&format!("{SEND}\n{{:index 1 :index 2}}"), 2, "the same key twice", "one operation a line");
    wrong(&format!("{SEND}\n\n}}"), 3, "closes nothing", "one operation a line");
    wrong(&format!("{SEND}\n{{:index\n 99999999999999999999}}"), 3, "no number", "EDN");
}

#[test]
fn what_is_no_operation_is_named_by_its_line() {
    wrong(&format!("{SEND}\n17"), 2, "no operation: 17", "an operation is a map");
    wrong("{:type :ok :f :send}", 1, "no :process", "a client's integer");
    wrong("{:process 0 :f :send}", 1, ":type is missing", ":invoke, :ok, :fail or :info");
    wrong("{:process 0 :type :done :f :send}", 1, ":type is :done", ":invoke");
    wrong("{:process 0 :type :ok}", 1, ":f is missing", ":send, :poll, :txn");
    wrong(&format!("{SEND}\n{{:process 0 :type :ok :f :poll}}"), 2, "no integer :index", "either every operation");
    wrong(
        "{:process 0 :type :ok :f :poll}\n{:process 0 :type :ok :f :poll :index 7}",
        2,
        ":index is 7",
        "either every",
    );
}

#[test]
fn what_is_no_micro_operation_is_named_by_its_line() {
    let op = |f: &str, value: &str| format!("{{:process 0 :type :ok :f {f}\n :value {value}}}");
    wrong(&op(":send", "17"), 1, "no list of micro-operations: 17", "vector of micro-operations");
    wrong(&op(":txn", "[[:append 1 2]]"), 1, "no micro-operation: [:append 1 2]", "[:send 0 [3 7]]");
    wrong(&op(":send", "[[:send 0]]"), 1, "no send", "[:send key [offset value]]");
    wrong(&op(":send", "[[:send 0 [1]]]"), 1, "no send", "nil where the offset");
    wrong(&op(":send", "[[:send 0 [:one 1]]]"), 1, "no send", "nil where the offset");
    wrong(&op(":poll", "[[:poll 7]]"), 1, "no poll", "[:poll {key");
    wrong(&op(":poll", "[[:poll {0 [1 2]}]]"), 1, "no poll", "[offset value]");
    wrong(&op(":poll", "[[:poll {0 [[0 1.5]]}]]"), 1, "neither a key nor a value: 1.5", "integers or keywords");
    wrong(&op(":assign", "7"), 1, "no keys: 7", "vector of keys");
    let rebalance = "{:process 0 :type :ok :f :poll :value [[:poll]] :rebalance-log [7]}";
    wrong(rebalance, 1, "no :rebalance-log", "[{:keys [0 1]}]");
}

#[test]
fn a_long_form_is_shown_in_part() {
    let text = format!("{{:process 0 :type :ok :f :send :value {:?}}}", "x".repeat(1000));
    let ReadError::Operation { what, .. } = read(&text).expect_err("no list") else { panic!("another error") };
    assert!(what.len() < 200 && what.ends_with("..."), "{what}");
}
