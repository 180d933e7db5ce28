//! Puts tables into a document, between two marks that stay.

use std::path::Path;

use crate::error::Failure;

/// Replaces what stands between `<!-- NAME -->` and `<!-- end of NAME -->`, each on a line of its own.
pub(crate) fn write(file: &Path, name: &str, tables: &str) -> Result<(), Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::of(format!("cannot read {shown}"), error))?;
    let text = replaced(&text, name, tables).ok_or_else(|| {
        Failure::new(format!(
            "{shown} needs the lines `<!-- {name} -->` and `<!-- end of {name} -->`, for the tables to stand between"
        ))
    })?;
    std::fs::write(file, text).map_err(|error| Failure::of(format!("cannot write {shown}"), error))
}

fn replaced(text: &str, name: &str, tables: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", tables.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = "a\n<!-- t -->\nold\n<!-- end of t -->\nz\n";
        let new = replaced(text, "t", "new\n").unwrap_or_default();
        assert_eq!(new, "a\n<!-- t -->\n\nnew\n\n<!-- end of t -->\nz\n");
        assert_eq!(replaced(&new, "t", "new").as_deref(), Some(new.as_str()));
        assert_eq!(replaced(text, "u", "new"), None);
    }
}
