/** Where a build comes from, as the environment of the CI system says it. */

export type Declared = {
  source?: string | undefined;
  commit?: string | undefined;
  ref?: string | undefined;
  run?: string | undefined;
  builder?: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

/** A URL without the credentials that CI systems put into clone URLs: what is declared is shown to everyone. */
export function withoutCredentials(url: string | undefined): string | undefined {
  return url?.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}

/** The parts that are there, joined: "GitHub Actions, acme/app/.github/workflows/release.yml@refs/tags/v1". */
function join(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}

function github(env: Environment): Declared {
  const source = `${env['GITHUB_SERVER_URL'] ?? 'https://github.com'}/${env['GITHUB_REPOSITORY'] ?? ''}`;
  const attempt = env['GITHUB_RUN_ATTEMPT'];
  return {
    source,
    commit: env['GITHUB_SHA'],
    ref: env['GITHUB_REF'],
    run: `${source}/actions/runs/${env['GITHUB_RUN_ID'] ?? ''}${attempt === undefined ? '' : `/attempts/${attempt}`}`,
    builder: join('GitHub Actions', env['GITHUB_WORKFLOW_REF'], env['RUNNER_ENVIRONMENT']),
  };
}

function gitlab(env: Environment): Declared {
  const tag = env['CI_COMMIT_TAG'];
  const branch = env['CI_COMMIT_BRANCH'];
  return {
    source: withoutCredentials(env['CI_PROJECT_URL']),
    commit: env['CI_COMMIT_SHA'],
    ref: tag ? `refs/tags/${tag}` : branch ? `refs/heads/${branch}` : env['CI_COMMIT_REF_NAME'],
    run: env['CI_JOB_URL'] ?? env['CI_PIPELINE_URL'],
    builder: join('GitLab CI', env['CI_SERVER_URL'], env['CI_RUNNER_DESCRIPTION']),
  };
}

function jenkins(env: Environment): Declared {
  return {
    source: withoutCredentials(env['GIT_URL']),
    commit: env['GIT_COMMIT'],
    ref: env['GIT_BRANCH'],
    run: env['BUILD_URL'],
    builder: join('Jenkins', env['JENKINS_URL'], env['NODE_NAME']),
  };
}

/** What the CI system around this process says; nothing outside of one. */
export function declaredBy(env: Environment): Declared {
  if (env['GITHUB_ACTIONS'] === 'true') return github(env);
  if (env['GITLAB_CI'] === 'true') return gitlab(env);
  if (env['JENKINS_URL'] !== undefined) return jenkins(env);
  return {};
}
