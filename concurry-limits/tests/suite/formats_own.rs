//! A kind of limit of a user's own, from TOML, YAML and JSON.

use concurry_core::clock::Timestamp;
use concurry_limits::{Limit, LimitSet, LimitSetError, LimitState, ResourceLimit, UsageRule};
use serde::{Deserialize, Serialize};

use crate::formats::{json, toml, yaml};

/// A kind of a user's own: so many hands a person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hands {
    key: String,
    people: u64,
}

#[typetag::serde]
impl Limit for Hands {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        self.people * 2
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        if self.people > 0 {
            return Ok(());
        }
        Err(LimitSetError::Invalid { key: self.key.clone(), reason: "nobody has no hands".to_owned() })
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        ResourceLimit::new("", self.capacity()).state(now)
    }
}

/// A set with such a limit in JSON, TOML and YAML, where it begins in line 3.
const OWN: [&str; 3] = [
    r#"{"limits": [
{"kind": "ResourceLimit", "key": "doors", "capacity": 9},
{"kind": "Hands", "key": "hands", "people": 2}]}"#,
    r#"limits = [
{kind = "ResourceLimit", key = "doors", capacity = 9},
{kind = "Hands", key = "hands", people = 2}]"#,
    "limits:
  - {kind: ResourceLimit, key: doors, capacity: 9}
  - {kind: Hands, key: hands, people: 2}",
];

/// The text with `to` for `from` in each of the formats.
fn own_with(from: &str, to: &str) -> [Result<LimitSet, String>; 3] {
    let [in_json, in_toml, in_yaml] = OWN.map(|text| text.replace(from, to));
    [json(&in_json), toml(&in_toml), yaml(&in_yaml)]
}

#[test]
fn a_kind_of_a_users_own_is_read_from_three_formats() {
    for set in own_with("", "") {
        let set = set.unwrap();
        assert_eq!(set.limit("hands").unwrap().capacity(), 4);
        let all = set.acquire([("hands", 4)]).unwrap();
        set.try_acquire(()).unwrap_err();
        drop(all);
        let written = serde_saphyr::to_string(&set).unwrap();
        let again: LimitSet = yaml(&written).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&set).unwrap(), "{written}");
    }
    for (from, to, part) in [
        ("2", "0", "limit `hands` is not valid: nobody has no hands"),
        ("people", "persons", "unknown field `persons`, expected"),
        ("Hands", "Feet", "Hands"),
    ] {
        for set in own_with(from, to) {
            let error = set.unwrap_err();
            assert!(error.contains(part), "no `{part}` in:\n{error}");
            assert!(error.contains("line 3") && error.contains("column"), "{error}");
        }
    }
}
