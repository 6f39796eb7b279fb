//! What the service does: text to Morse code.

/// The letters from A on, and the digits from 0 on.
const LETTERS: [&str; 26] = [
    ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---",
    ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
];
const DIGITS: [&str; 10] =
    ["-----", ".----", "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----."];

/// `text` in Morse code, with ` / ` between words; what has no sign is left out.
pub(crate) fn code(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let signs: Vec<&str> = word.chars().filter_map(sign).collect();
        signs.join(" ")
    });
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" / ")
}

fn sign(character: char) -> Option<&'static str> {
    let byte = u8::try_from(character.to_ascii_uppercase()).ok()?;
    match byte {
        b'A'..=b'Z' => Some(LETTERS[usize::from(byte - b'A')]),
        b'0'..=b'9' => Some(DIGITS[usize::from(byte - b'0')]),
        b'.' => Some(".-.-.-"),
        b',' => Some("--..--"),
        b'?' => Some("..--.."),
        b'-' => Some("-....-"),
        _ => None,
    }
}
