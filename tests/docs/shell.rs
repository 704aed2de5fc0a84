//! As much of a shell's grammar as pages use: words, quotes, comments, and what stands between commands.

/// A command's words, its name first.
pub type Command = Vec<String>;

/// Words that stand before a command and are none.
const KEYWORDS: [&str; 7] = ["do", "done", "then", "fi", "if", "else", "!"];

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// What ends a command.
    End,
    /// What sends a stream elsewhere; a word follows.
    Redirect,
}

/// The commands of a line, without their redirections, the variables set for them, and the loops around them.
pub fn commands(line: &str) -> Vec<Command> {
    let mut commands = vec![Vec::new()];
    let mut tokens = tokens(line).into_iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => commands.last_mut().expect("there is always a last one").push(word),
            Token::End => commands.push(Vec::new()),
            Token::Redirect => drop(tokens.next()),
        }
    }
    commands.into_iter().filter_map(bare).collect()
}

/// A command without what stands before it; `None` for the head of a loop, and for nothing.
fn bare(words: Command) -> Option<Command> {
    let is_variable = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let words: Command =
        words.into_iter().skip_while(|word| KEYWORDS.contains(&word.as_str()) || is_variable(word)).collect();
    words.first().is_some_and(|name| name != "for").then_some(words)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(letters.by_ref().take_while(|inner| *inner != letter));
            }
            '\\' => word.get_or_insert_default().extend(letters.next()),
            '#' if word.is_none() => break,
            ';' | '|' | '&' | '>' | '<' => {
                tokens.extend(word.take().map(Token::Word));
                while letters.next_if(|next| ";|&><".contains(*next)).is_some() {}
                tokens.push(if ">< ".contains(letter) { Token::Redirect } else { Token::End });
            }
            letter if letter.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

#[test]
fn words_are_as_a_shell_sees_them() {
    let typed = r#"wiber-chaos produce chat 'Hello World!' "a b" c\ d x#y   # a comment"#;
    assert_eq!(commands(typed), [["wiber-chaos", "produce", "chat", "Hello World!", "a b", "c d", "x#y"]]);
    assert_eq!(commands("  # nothing but a comment"), Vec::<Command>::new());
}

#[test]
fn a_line_is_taken_apart_into_its_commands() {
    let typed = "for b in 1 2; do docker restart $b; wiber-chaos status; done";
    assert_eq!(commands(typed), [vec!["docker", "restart", "$b"], vec!["wiber-chaos", "status"]]);
    let typed = "A=1 wiber-chaos history r --format csv > out.csv && cat out.csv | wc -l || true";
    let expected =
        [&["wiber-chaos", "history", "r", "--format", "csv"][..], &["cat", "out.csv"], &["wc", "-l"], &["true"]];
    assert_eq!(commands(typed), expected);
}
