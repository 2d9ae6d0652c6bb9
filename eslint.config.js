import tseslint from 'typescript-eslint';

/** Folders whose code computes and does nothing else: the same input gives the same output anywhere. */
const pure = ['src/formats', 'src/archive', 'src/index', 'src/provenance', 'src/web'];

const impureModules = {
  group: [
    'node:fs',
    'node:fs/*',
    'node:net',
    'node:http',
    'node:https',
    'node:dns',
    'node:tls',
    'node:os',
    'node:child_process',
    'node:worker_threads',
    'node:process',
    'node:cluster',
    'node:timers',
    'node:timers/*',
  ],
  message:
    'Pure code has no file system, network, clock or environment: take the value as an argument (DESIGN: folders).',
};
const only = (group, where) => ({
  group,
  message: `Only ${where} may import this, so that it can be replaced in one place.`,
});
const kysely = only(['kysely', 'better-sqlite3', 'pg'], 'src/db');
const fastify = only(['fastify', 'fastify-*', '@fastify/*'], 'src/http');
const aws = only(['@aws-sdk/*'], 'src/store/s3.ts');
const openpgp = only(['openpgp'], 'src/signing');
const liblzma = only(['node-liblzma', 'node-liblzma/*'], 'src/archive');
const preact = only(['preact', 'preact/*', 'htm', 'htm/*', 'preact-render-to-string'], 'src/web');

/** What a folder may not import of ours, and why. Paths are matched against the import's text. */
const noSibling = (names, why) => ({ regex: `^\\.\\.?/(.*/)?(${names.join('|')})/`, message: why });
const arguments_ =
  'store, db, signing and auth do not know each other; registry and publish receive them as arguments.';
const upward = 'Dependencies point from http and commands to registry and publish, and from there down.';

const layer = (files, patterns) => ({
  files: files.map((dir) => (dir.endsWith('.ts') ? dir : `${dir}/**/*.ts`)),
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});
const libraries = [kysely, fastify, aws, openpgp, liblzma, preact];
const librariesBut = (...allowed) => libraries.filter((library) => !allowed.includes(library));
const pureUpward = noSibling(
  ['registry', 'publish', 'store', 'db', 'signing', 'auth', 'http', 'commands'],
  'Pure code imports only pure code.',
);

export default tseslint.config(
  {
    ignores: [
      'node_modules',
      '.tap',
      'data',
      'dist',
      'src/entrepot.js',
      'src/web/assets',
      'eslint.config.js',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      complexity: ['error', 20],
      'no-restricted-globals': [
        'error',
        {
          name: 'process',
          message: 'Import what you need from node:process; only config.ts reads the environment.',
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only config.ts reads the environment.' },
        { property: 'dangerouslySetInnerHTML', message: 'Pages are escaped by construction.' },
      ],
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              name: ['test', 'rejects', 'resolves', 'resolveMatch', 'before'],
              package: '@tapjs/core',
            },
            { from: 'package', name: ['test'], package: '@tapjs/test' },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
    },
  },
  layer(['src'], [...librariesBut()]),
  layer(['src/formats', 'src/index', 'src/provenance'], [impureModules, pureUpward, ...libraries]),
  layer(['src/archive'], [impureModules, pureUpward, ...librariesBut(liblzma)]),
  layer(
    ['src/formats/apt'],
    [
      impureModules,
      pureUpward,
      noSibling(['yum'], 'apt and yum never import each other: what both need belongs in formats/.'),
      ...libraries,
    ],
  ),
  layer(
    ['src/formats/yum'],
    [
      impureModules,
      pureUpward,
      noSibling(['apt'], 'apt and yum never import each other: what both need belongs in formats/.'),
      ...libraries,
    ],
  ),
  layer(['src/web'], [impureModules, pureUpward, ...librariesBut(preact)]),
  layer(
    ['src/store'],
    [
      noSibling(['db', 'signing', 'auth'], arguments_),
      noSibling(['registry', 'publish', 'http', 'commands'], upward),
      ...librariesBut(aws),
    ],
  ),
  layer(
    ['src/db'],
    [
      noSibling(['store', 'signing', 'auth'], arguments_),
      noSibling(['registry', 'publish', 'http', 'commands'], upward),
      ...librariesBut(kysely),
    ],
  ),
  layer(
    ['src/signing'],
    [
      noSibling(['store', 'db', 'auth'], arguments_),
      noSibling(['registry', 'publish', 'http', 'commands'], upward),
      ...librariesBut(openpgp),
    ],
  ),
  layer(
    ['src/auth'],
    [
      noSibling(['store', 'db', 'signing'], arguments_),
      noSibling(['registry', 'publish', 'http', 'commands'], upward),
      ...libraries,
    ],
  ),
  layer(
    ['src/webhooks'],
    [
      noSibling(
        ['store', 'signing', 'auth'],
        'webhooks keep their queue in the catalog, and know nothing else.',
      ),
      noSibling(['registry', 'publish', 'http', 'commands', 'web'], upward),
      ...libraries,
    ],
  ),
  layer(['src/registry'], [noSibling(['http', 'commands', 'web'], upward), ...libraries]),
  layer(['src/publish'], [noSibling(['registry', 'http', 'commands', 'web'], upward), ...libraries]),
  layer(['src/http'], [noSibling(['commands'], upward), ...librariesBut(fastify)]),
  layer(['src/doctor'], [noSibling(['commands', 'web'], upward), ...libraries]),
  layer(['src/commands'], [noSibling(['web'], upward), ...libraries]),
  {
    files: pure.map((dir) => `${dir}/**/*.ts`),
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'Pure code has no clock: take the time as an argument.',
        },
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'Pure code has no clock: take the time as an argument.',
        },
        {
          selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
          message: 'Pure code has no randomness: take it as an argument.',
        },
        {
          selector: 'ImportSpecifier[imported.name=/^(randomBytes|randomUUID|randomInt|getRandomValues)$/]',
          message: 'Pure code has no randomness: take it as an argument.',
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'node:process',
              importNames: ['env'],
              message: 'Only config.ts reads the environment.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'packaging/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      complexity: 'off',
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
