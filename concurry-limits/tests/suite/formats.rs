//! Sets and pools from TOML, YAML and JSON, with errors that tell the place, the field and what is allowed.

use std::sync::Arc;

use concurry_core::clock::ManualClock;
use concurry_limits::{KeyedLimits, LimitPool, LimitPoolBalancing, LimitSet, LimitSetBuilder};
use serde::de::DeserializeOwned;

const JSON: &str = r#"{
  "balancing": "earliest_available",
  "sets": [
    {
      "config": {"region": "us"},
      "limits": [
        {"kind": "CallLimit", "capacity": 500, "window": "minute"},
        {"kind": "RateLimit", "key": "tokens", "capacity": 10000, "window": "90s", "algorithm": "token_bucket", "overrun": "debt"}
      ]
    },
    {
      "limits": [
        {"kind": "CallLimit", "capacity": 300, "window": 60},
        {"kind": "RateLimit", "key": "tokens", "capacity": 8000, "window": 0.5},
        {"kind": "ResourceLimit", "key": "connections", "capacity": 8}
      ]
    }
  ]
}"#;

const TOML: &str = r#"
balancing = "earliest_available"

[[sets]]
config = { region = "us" }

[[sets.limits]]
kind = "CallLimit"
capacity = 500
window = "minute"

[[sets.limits]]
kind = "RateLimit"
key = "tokens"
capacity = 10_000
window = "90s"
algorithm = "token_bucket"
overrun = "debt"

[[sets]]
limits = [
    { kind = "CallLimit", capacity = 300, window = 60 },
    { kind = "RateLimit", key = "tokens", capacity = 8_000, window = 0.5 },
    { kind = "ResourceLimit", key = "connections", capacity = 8 },
]
"#;

const YAML: &str = "
balancing: earliest_available
sets:
  - config: {region: us}
    limits:
      - kind: CallLimit
        capacity: 500
        window: minute
      - kind: RateLimit
        key: tokens
        capacity: 10000
        window: 90s
        algorithm: token_bucket
        overrun: debt
  - limits:
      - {kind: CallLimit, capacity: 300, window: 60}
      - {kind: RateLimit, key: tokens, capacity: 8000, window: 0.5}
      - {kind: ResourceLimit, key: connections, capacity: 8}
";

pub(crate) fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

pub(crate) fn toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

pub(crate) fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn one_pool_is_read_from_three_formats() {
    let pools: [LimitPool; 3] = [json(JSON).unwrap(), toml(TOML).unwrap(), yaml(YAML).unwrap()];
    for pool in &pools {
        assert_eq!(pool.balancing(), LimitPoolBalancing::EarliestAvailable);
        assert_eq!(serde_json::to_string(pool).unwrap(), serde_json::to_string(&pools[0]).unwrap());
        assert_eq!(pool[0].config()["region"], "us");
        assert_eq!(pool[0].limit("tokens").unwrap().capacity(), 10_000);
        assert_eq!(pool[1].keys().collect::<Vec<_>>(), ["call_count", "tokens", "connections"]);
        let mut acquired = pool.acquire([("tokens", 100)]).unwrap();
        acquired.update([("tokens", 100)]).unwrap();
        acquired.release().unwrap();
    }
}

#[test]
fn a_pool_survives_its_way_through_each_format() {
    let pool: LimitPool = json(JSON).unwrap();
    let written = serde_json::to_string(&pool).unwrap();
    let again: [LimitPool; 3] = [
        json(&written).unwrap(),
        toml(&toml::to_string(&pool).unwrap()).unwrap(),
        yaml(&serde_saphyr::to_string(&pool).unwrap()).unwrap(),
    ];
    for pool in again {
        assert_eq!(serde_json::to_string(&pool).unwrap(), written);
    }
}

#[test]
fn a_builder_is_read_where_more_is_to_be_said_in_code() {
    let text = "[[limits]]\nkind = \"CallLimit\"\ncapacity = 1\nwindow = \"hour\"\n";
    let template: LimitSetBuilder = toml(text).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap()["limits"][0]["window"], "hour");
    let tenants: KeyedLimits<String> =
        KeyedLimits::builder(template).clock(Arc::new(ManualClock::new())).build().unwrap();
    drop(tenants.try_acquire("blue", ()).unwrap());
    tenants.try_acquire("blue", ()).unwrap_err();
}

#[test]
fn a_pool_without_sets_and_a_balancing_that_does_not_exist_are_told() {
    for (text, part) in [
        (r#"{"sets": []}"#, "`sets` is empty"),
        ("{}", "missing field `sets`"),
        (r#"{"sets": [{}], "balancing": "best"}"#, "use round_robin, random or earliest_available"),
        (r#"{"sets": [{}], "colour": 1}"#, "expected `sets` or `balancing`"),
    ] {
        let error = json::<LimitPool>(text).unwrap_err();
        assert!(error.contains(part) && error.contains("line 1"), "{text}: {error}");
    }
}

/// A limit in the three formats, which begins in line 3 of each and whose last field stands two lines further down.
struct Mistake {
    /// Its fields, in JSON.
    fields: [(&'static str, &'static str); 3],
    parts: &'static [&'static str],
}

const MISTAKES: [Mistake; 11] = [
    Mistake {
        fields: [("kind", r#""ResourceLimit""#), ("key", r#""doors""#), ("colour", "1")],
        parts: &["colour", "key", "capacity"],
    },
    Mistake {
        fields: [("key", r#""doors""#), ("capacity", "1"), ("kind", r#""DoorLimit""#)],
        parts: &["DoorLimit", "CallLimit", "RateLimit", "ResourceLimit"],
    },
    Mistake {
        fields: [("kind", r#""CallLimit""#), ("capacity", "1"), ("algorithm", r#""magic""#)],
        parts: &["magic", "token_bucket, leaky_bucket, sliding_window, fixed_window or gcra"],
    },
    Mistake {
        fields: [("kind", r#""ResourceLimit""#), ("key", r#""doors""#), ("capacity", "0")],
        parts: &["limit `doors` has a capacity of 0", "the least capacity is 1"],
    },
    Mistake {
        fields: [("kind", r#""ResourceLimit""#), ("key", r#""taken""#), ("capacity", "1")],
        parts: &["two limits have the key `taken`"],
    },
    Mistake {
        fields: [("kind", r#""CallLimit""#), ("capacity", "1"), ("overrun", r#""debt""#)],
        parts: &["overrun", "window"],
    },
    Mistake {
        fields: [("kind", r#""RateLimit""#), ("key", r#""tokens""#), ("capacity", "1")],
        parts: &["missing field `window`"],
    },
    Mistake {
        fields: [("kind", r#""ResourceLimit""#), ("key", r#""doors""#), ("capacity", "-5")],
        parts: &["-5", "expected `capacity` to be a whole number of at least 1"],
    },
    Mistake {
        fields: [("kind", r#""ResourceLimit""#), ("key", r#""doors""#), ("capacity", r#""many""#)],
        parts: &["many", "expected `capacity` to be a whole number of at least 1"],
    },
    Mistake {
        fields: [("kind", r#""CallLimit""#), ("capacity", "1"), ("window", r#""fortnight""#)],
        parts: &["`fortnight` is no window", "minute", "30s"],
    },
    Mistake {
        fields: [("kind", r#""CallLimit""#), ("capacity", "1"), ("window", "-60")],
        parts: &["window cannot be negative"],
    },
];

/// The set in JSON, TOML and YAML.
fn written(fields: &[(&str, &str)]) -> [String; 3] {
    let join = |separator: &str, each: &dyn Fn(&(&str, &str)) -> String| {
        fields.iter().map(each).collect::<Vec<_>>().join(separator)
    };
    let json = join(",\n", &|(name, value)| format!("\"{name}\": {value}"));
    let toml = join("\n", &|(name, value)| format!("{name} = {value}"));
    let yaml = join("\n    ", &|(name, value)| format!("{name}: {value}"));
    [
        format!(
            "{{\"limits\": [\n{{\"kind\": \"ResourceLimit\", \"key\": \"taken\", \"capacity\": 1}},\n{{{json}}}]}}"
        ),
        format!(
            "limits = [\n{{kind = \"ResourceLimit\", key = \"taken\", capacity = 1}},\n{{{}}}]",
            toml.replace('\n', ", ")
        ),
        format!("limits:\n  - {{kind: ResourceLimit, key: taken, capacity: 1}}\n  - {yaml}\n"),
    ]
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_is_allowed_in_every_format() {
    for Mistake { fields, parts } in &MISTAKES {
        let [in_json, in_toml, in_yaml] = written(fields);
        let errors = [
            (json::<LimitSet>(&in_json).unwrap_err(), &in_json, ["line 3", "line 5"]),
            (toml::<LimitSet>(&in_toml).unwrap_err(), &in_toml, ["line 3", "line 3"]),
            (yaml::<LimitSet>(&in_yaml).unwrap_err(), &in_yaml, ["line 3", "line 5"]),
        ];
        for (error, text, places) in errors {
            // Where the limit begins, or its last field.
            assert!(places.iter().any(|place| error.contains(place)), "{text}\n{error}");
            for part in parts.iter().chain([&"column"]) {
                assert!(error.contains(part), "{text}\nno `{part}` in:\n{error}");
            }
        }
    }
}

#[test]
fn broken_text_is_told_with_its_place() {
    assert!(json::<LimitSet>("{\"limits\": [\n{\"kind\"}]}").unwrap_err().contains("line 2 column 8"));
    assert!(toml::<LimitSet>("[[limits]]\nkind = \n").unwrap_err().contains("line 2"));
    assert!(yaml::<LimitSet>("limits:\n  - kind: [\n").unwrap_err().contains("line"));
}

#[test]
fn the_list_of_limits_must_be_a_list() {
    let error = json::<LimitSet>(r#"{"limits": 3}"#).unwrap_err();
    assert!(error.contains("expected `limits` to be a list of limits, each with its `kind`"), "{error}");
}

const BLOCKS: &str = r#"
[[limits]]
kind = "ResourceLimit"
key = "doors"
capacity = 1

[[limits]]
kind = "RateLimit"
key = "tokens"
capacity = 10_000
window = "minute"
"#;

#[test]
fn a_mistake_in_a_block_of_toml_is_told_where_that_block_begins() {
    toml::<LimitSet>(BLOCKS).unwrap();
    for (from, to, place, part) in [
        ("10_000", "0", "line 7, column 1", "limit `tokens` has a capacity of 0"),
        ("\"minute\"", "\"fortnight\"", "line 7, column 1", "`fortnight` is no window"),
        ("\"tokens\"", "\"doors\"", "line 7, column 1", "two limits have the key `doors`"),
        ("window", "windows", "line 7, column 1", "unknown field `windows`"),
        ("\"RateLimit\"", "\"DoorLimit\"", "line 8, column 8", "unknown variant `DoorLimit`"),
        ("capacity = 1\n", "capacity = -1\n", "line 2, column 1", "a whole number of at least 1"),
    ] {
        let error = toml::<LimitSet>(&BLOCKS.replace(from, to)).unwrap_err();
        assert!(error.contains(place) && error.contains(part), "no `{place}` or no `{part}` in:\n{error}");
    }
}

#[test]
fn a_mistake_within_a_pool_is_told_with_its_place() {
    for (in_toml, in_yaml, part) in [
        // In the first set, in a block.
        (
            ("capacity = 500", "capacity = 0", "line 7, column 1"),
            ("capacity: 500", "capacity: 0", "line 6 column 9"),
            "limit `call_count` has a capacity of 0",
        ),
        (
            ("\"90s\"", "\"fortnight\"", "line 12, column 1"),
            ("90s", "fortnight", "line 9 column 9"),
            "`fortnight` is no window",
        ),
        (
            ("overrun = ", "colour = ", "line 12, column 1"),
            ("overrun: ", "colour: ", "line 9 column 9"),
            "unknown field `colour`",
        ),
        // In the second, in a line.
        (
            ("8_000", "0", "line 23, column 5"),
            ("8000", "0", "line 17 column 9"),
            "limit `tokens` has a capacity of 0",
        ),
        (
            ("\"connections\"", "\"tokens\"", "line 24, column 5"),
            ("connections", "tokens", "line 18 column 9"),
            "two limits have the key `tokens`",
        ),
        (
            ("\"ResourceLimit\"", "\"DoorLimit\"", "line 24, column 14"),
            ("ResourceLimit", "DoorLimit", "line 18 column 10"),
            "unknown variant `DoorLimit`",
        ),
        // Beside them.
        (
            ("\"earliest_available\"", "\"best\"", "line 2, column 13"),
            ("earliest_available", "best", "line 2 column 12"),
            "`best` is no way to pick a limit set",
        ),
    ] {
        let (from, to, toml_place) = in_toml;
        let error = toml::<LimitPool>(&TOML.replace(from, to)).unwrap_err();
        assert!(
            error.contains(toml_place) && error.contains(part),
            "no `{toml_place}` or `{part}` in:\n{error}"
        );
        let (from, to, yaml_place) = in_yaml;
        let error = yaml::<LimitPool>(&YAML.replace(from, to)).unwrap_err();
        assert!(
            error.contains(yaml_place) && error.contains(part),
            "no `{yaml_place}` or `{part}` in:\n{error}"
        );
    }
}
