//! What a plain board is told.

/// What says to a board that somebody is there, who wants to know its name.
pub(crate) const HOST_HELLO: &str = "{\"hello\":\"sig\"}";

/// The name in it. A board that says back whatever it hears has no other.
pub(super) const HOST: &str = "sig";

/// The document that asks a board for something. It is as short as can be, and always in the same order: a board without a
/// library looks for the words in it.
pub(crate) fn request(id: u16, method: &str, params: &str) -> String {
    let method = serde_json::Value::from(method);
    match params {
        "null" => format!("{{\"id\":{id},\"method\":{method}}}"),
        params => format!("{{\"id\":{id},\"method\":{method},\"params\":{}}}", compact(params)),
    }
}

/// JSON without white space between its tokens.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |c: &char| {
        let was_in_string = in_string;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_whatever_its_parameters_look_like() {
        assert_eq!(request(7, "led", "true"), r#"{"id":7,"method":"led","params":true}"#);
        assert_eq!(request(7, "led", "null"), r#"{"id":7,"method":"led"}"#);
        let params = "{\r\n  \"a \\n\\\" \": [1,\n\t2 ]\n}";
        let text = request(65535, "say \"x\"", params);
        assert_eq!(text, r#"{"id":65535,"method":"say \"x\"","params":{"a \n\" ":[1,2]}}"#);
    }
}
