//! Generates passwords for `GetRandomPassword` and for `GenerateSecretString` of templates.
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde::Deserialize;

/// Longest password.
const LENGTH_LIMIT: u32 = 4096;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const SPACE: &str = " ";

/// The rules for a password.
#[expect(clippy::struct_excessive_bools, reason = "the members of the API")]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Recipe {
    /// Its length in characters; 32 by default.
    pub password_length: u32,
    /// Characters to leave out.
    pub exclude_characters: String,
    /// Leave out digits.
    pub exclude_numbers: bool,
    /// Leave out punctuation.
    pub exclude_punctuation: bool,
    /// Leave out upper-case letters.
    pub exclude_uppercase: bool,
    /// Leave out lower-case letters.
    pub exclude_lowercase: bool,
    /// Allow spaces.
    pub include_space: bool,
    /// Require one character of each type that is not left out.
    pub require_each_included_type: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            password_length: 32,
            exclude_characters: String::new(),
            exclude_numbers: false,
            exclude_punctuation: false,
            exclude_uppercase: false,
            exclude_lowercase: false,
            include_space: false,
            require_each_included_type: true,
        }
    }
}

impl Recipe {
    /// Generates a password from the system's source of randomness.
    ///
    /// # Errors
    /// If no password can follow these rules.
    pub fn password(&self) -> Result<String, &'static str> {
        let kinds = self.kinds();
        let all: Vec<char> = kinds.concat();
        let length = usize::try_from(self.password_length).unwrap_or(usize::MAX);
        if !(1..=LENGTH_LIMIT).contains(&self.password_length) {
            return Err("Password length must be from 1 to 4096.");
        }
        if all.is_empty() {
            return Err("You must include at least one type of character.");
        }
        let mut rng = rand::rng();
        let mut password: Vec<char> = Vec::with_capacity(length);
        if self.require_each_included_type {
            if kinds.len() > length {
                return Err("Password length is too short based on the required types.");
            }
            password.extend(kinds.iter().filter_map(|kind| kind.choose(&mut rng)));
        }
        password.extend((password.len()..length).filter_map(|_| all.choose(&mut rng)));
        password.shuffle(&mut rng);
        Ok(password.into_iter().collect())
    }

    /// The allowed characters of each type; types without any are left out.
    fn kinds(&self) -> Vec<Vec<char>> {
        let kinds = [
            (LOWERCASE, !self.exclude_lowercase),
            (UPPERCASE, !self.exclude_uppercase),
            (NUMBERS, !self.exclude_numbers),
            (PUNCTUATION, !self.exclude_punctuation),
            (SPACE, self.include_space),
        ];
        let left = |(kind, is_included): (&str, bool)| -> Vec<char> {
            let chars = kind.chars().filter(|_| is_included);
            chars.filter(|char| !self.exclude_characters.contains(*char)).collect()
        };
        kinds.map(left).into_iter().filter(|kind| !kind.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(password: &str, kind: &str) -> bool {
        password.chars().any(|char| kind.contains(char))
    }

    #[test]
    fn a_password_has_the_requested_length_and_every_type_of_character() {
        for length in [4, 5, 32, LENGTH_LIMIT] {
            let recipe = Recipe {
                password_length: length,
                ..Recipe::default()
            };
            let password = recipe.password().unwrap();
            assert_eq!(password.chars().count(), usize::try_from(length).unwrap());
            let kinds = [LOWERCASE, UPPERCASE, NUMBERS, PUNCTUATION];
            assert!(kinds.into_iter().all(|kind| has(&password, kind)), "{password}");
            assert!(!password.contains(' '));
        }
    }

    #[test]
    fn excluded_characters_do_not_occur() {
        let recipe = Recipe {
            password_length: 2000,
            exclude_characters: "abc".to_owned(),
            exclude_punctuation: true,
            exclude_uppercase: true,
            include_space: true,
            ..Recipe::default()
        };
        let password = recipe.password().unwrap();
        assert!(!has(&password, PUNCTUATION) && !has(&password, UPPERCASE) && !has(&password, "abc"));
        assert!(has(&password, SPACE) && has(&password, NUMBERS) && has(&password, "xyz"));
    }

    #[test]
    fn a_type_may_be_missing_if_none_is_required() {
        let recipe = Recipe {
            password_length: 1,
            require_each_included_type: false,
            ..Recipe::default()
        };
        assert_eq!(recipe.password().unwrap().len(), 1);
    }

    #[test]
    fn impossible_rules_are_refused() {
        let refused = |change: fn(&mut Recipe)| {
            let mut recipe = Recipe::default();
            change(&mut recipe);
            recipe.password().unwrap_err()
        };
        assert!(refused(|recipe| recipe.password_length = 0).contains("from 1 to 4096"));
        assert!(refused(|recipe| recipe.password_length = LENGTH_LIMIT + 1).contains("from 1 to 4096"));
        assert!(refused(|recipe| recipe.password_length = 3).contains("too short"));
        let nothing = refused(|recipe| {
            recipe.exclude_characters = [LOWERCASE, UPPERCASE, NUMBERS, PUNCTUATION].concat();
        });
        assert!(nothing.contains("at least one type"));
    }

    #[test]
    fn no_two_passwords_are_equal() {
        assert_ne!(Recipe::default().password(), Recipe::default().password());
    }
}
