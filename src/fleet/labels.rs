//! Labels of runs: as they are typed, or what a CI system says of the job that made them.

/// A label as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// Name and value.
    Pair(String, String),
    /// `commit`, `branch` and `build` as the variables of a CI system say them.
    Auto,
}

/// A CI system: its name, the variable that it alone sets, and those of commit, branch and build. Of several variables the
/// first that is not empty counts: for merge requests some have the branch that is merged in one of its own.
type System = (&'static str, &'static str, [&'static [&'static str]; 3]);

/// Documented by each: GitHub «Default environment variables», GitLab «Predefined CI/CD variables», Buildkite «Environment variables»,
/// CircleCI «Built-in environment variables», Azure «Predefined variables», Bitbucket «Variables and secrets», Jenkins
/// «Using environment variables» and its Git plugin.
const SYSTEMS: &[System] = &[
    (
        "GitHub Actions",
        "GITHUB_ACTIONS",
        [&["GITHUB_SHA"], &["GITHUB_HEAD_REF", "GITHUB_REF_NAME"], &["GITHUB_RUN_ID"]],
    ),
    (
        "GitLab CI",
        "GITLAB_CI",
        [
            &["CI_COMMIT_SHA"],
            &["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"],
            &["CI_PIPELINE_ID"],
        ],
    ),
    ("Buildkite", "BUILDKITE", [&["BUILDKITE_COMMIT"], &["BUILDKITE_BRANCH"], &["BUILDKITE_BUILD_NUMBER"]]),
    ("CircleCI", "CIRCLECI", [&["CIRCLE_SHA1"], &["CIRCLE_BRANCH"], &["CIRCLE_BUILD_NUM"]]),
    (
        "Azure Pipelines",
        "TF_BUILD",
        [
            &["BUILD_SOURCEVERSION"],
            &["SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCHNAME"],
            &["BUILD_BUILDID"],
        ],
    ),
    (
        "Bitbucket Pipelines",
        "BITBUCKET_BUILD_NUMBER",
        [&["BITBUCKET_COMMIT"], &["BITBUCKET_BRANCH"], &["BITBUCKET_BUILD_NUMBER"]],
    ),
    (
        "Jenkins",
        "JENKINS_URL",
        [&["GIT_COMMIT"], &["CHANGE_BRANCH", "GIT_BRANCH", "BRANCH_NAME"], &["BUILD_NUMBER"]],
    ),
];

impl Label {
    /// `NAME=VALUE`, or `auto`.
    ///
    /// # Errors
    /// One line with what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (name, value) =
            pair(text).ok_or_else(|| format!("«{text}» is no label: NAME=VALUE, or auto in a job of CI"))?;
        Ok(Self::Pair(name, value))
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Pair(name, value) => format!("{name}={value}"),
            Self::Auto => "auto".to_owned(),
        }
    }
}

/// The two sides of `NAME=VALUE`.
#[must_use]
pub fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
}

/// All labels by name, each once; what was typed counts before what a CI system says. The order in which they were typed is
/// no difference.
///
/// # Errors
/// `auto` where no CI system says anything.
pub fn all(
    typed: &[Label],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, String> {
    let mut labels: Vec<(String, String)> = Vec::new();
    for label in typed {
        if let Label::Pair(name, value) = label {
            labels.push((name.clone(), value.clone()));
        }
    }
    if typed.contains(&Label::Auto) {
        for (name, value) in of_ci(variable)? {
            if labels.iter().all(|(known, _)| *known != name) {
                labels.push((name, value));
            }
        }
    }
    labels.sort();
    Ok(labels)
}

fn of_ci(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    let known = |name: &str| variable(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    let names = || SYSTEMS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    let (system, _, variables) = SYSTEMS
        .iter()
        .find(|(_, mark, _)| known(mark).is_some())
        .ok_or_else(|| format!("--label auto finds no variables of {}: say --label NAME=VALUE", names()))?;
    let found: Vec<(String, String)> = ["commit", "branch", "build"]
        .into_iter()
        .zip(variables)
        .filter_map(|(label, names)| Some((label.to_owned(), names.iter().find_map(|name| known(name))?)))
        .collect();
    match found.is_empty() {
        true => Err(format!("--label auto: {system} says neither commit nor branch nor build here")),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(typed: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
        let typed: Vec<Label> = typed.iter().map(|t| Label::parse(t)).collect::<Result<_, _>>()?;
        let variable = |name: &str| variables.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
        let all = all(&typed, variable)?;
        Ok(all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn ci_systems_say_commit_branch_and_build_and_what_is_typed_counts_first() {
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", "4f1c2aa"),
            ("GITHUB_REF_NAME", "17/merge"),
            ("GITHUB_HEAD_REF", "faster"),
            ("GITHUB_RUN_ID", "99"),
        ];
        assert_eq!(of(&["auto"], &github), Ok("branch=faster build=99 commit=4f1c2aa".into()));
        assert_eq!(
            of(&["auto", "branch=main", "gpu=h200"], &github),
            Ok("branch=main build=99 commit=4f1c2aa gpu=h200".into())
        );
        assert_eq!(of(&["b=1", "a=2"], &github), Ok("a=2 b=1".into()), "only when asked for");
        let jenkins = [
            ("JENKINS_URL", "http://ci/"),
            ("GIT_BRANCH", "main"),
            ("BUILD_NUMBER", "7"),
            ("CHANGE_BRANCH", " "),
        ];
        assert_eq!(of(&["auto"], &jenkins), Ok("branch=main build=7".into()));
    }

    #[test]
    fn without_ci_it_is_said_what_to_do() {
        let why = of(&["auto"], &[("CI", "true"), ("GITHUB_SHA", "4f1c2aa")]).expect_err("no system");
        assert!(why.contains("GitHub Actions, GitLab CI") && why.contains("NAME=VALUE"), "{why}");
        let why = of(&["auto"], &[("GITLAB_CI", "true")]).expect_err("nothing");
        assert!(why.contains("GitLab CI says neither"), "{why}");
        assert!(of(&["commit"], &[]).is_err());
    }
}
