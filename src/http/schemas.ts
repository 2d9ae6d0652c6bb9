/** The shapes of the REST API: checked on the way in and out, and the source of the OpenAPI document. */
import { z } from 'zod';
import { channelOptions, retention } from '../db/channel-options.ts';
import { ephemeralRules } from '../registry/ephemeral.ts';
import {
  channelName,
  componentName,
  distributionName,
  lineOfText,
  pinName,
  repositoryName,
} from '../registry/names.ts';
import { webhookKinds } from '../registry/webhooks.ts';
import { signingPolicies } from '../registry/signing-policy.ts';

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: 'SHA-256 in lower-case hex.' });
const time = z.iso.datetime().meta({ description: 'UTC, ISO 8601.' });
const format = z.enum(['apt', 'yum']);
const architectureName = z
  .string()
  .max(32)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'an architecture as dpkg names it: amd64, arm64, i386')
  .refine((name) => !['all', 'any', 'source'].includes(name), {
    error: 'architectures of machines; "all" is published beside them by itself',
  });

export const repositoryParams = z.object({ repository: repositoryName });
export const channelParams = repositoryParams.extend({ channel: channelName });

const signing = z.enum(signingPolicies).meta({
  id: 'SigningPolicy',
  description:
    'What happens to rpm packages. `always`: all get our signature. `unsigned-only`: those signed by a producer ' +
    'are served as uploaded, unsigned ones get ours. `require`: only those signed by a producer go in, and are ' +
    'served as uploaded. `never`: all are served as uploaded.',
});

export const putRepositoryBody = z.strictObject({
  description: lineOfText.optional(),
  origin: lineOfText.optional().meta({ description: 'The Origin that new channels get.' }),
  visibility: z.enum(['public', 'private']).optional(),
  signing: signing.optional(),
  producerKeys: z
    .array(z.string())
    .optional()
    .meta({ description: 'Armoured OpenPGP public keys, one in each, in place of those before.' }),
  retention: retention
    .nullable()
    .optional()
    .meta({ description: 'For channels that have none of their own; null for none.' }),
  ephemeral: ephemeralRules.optional().meta({
    description:
      'Channels that the first upload to a name makes, and that expire by themselves; empty for none.',
  }),
});

export const repositoryReply = z
  .object({
    name: repositoryName,
    description: z.string(),
    origin: z.string(),
    visibility: z.enum(['public', 'private']),
    retention: retention.nullable(),
    ephemeral: ephemeralRules,
    createdAt: time,
    keys: z.array(z.object({ fingerprint: z.string(), state: z.enum(['active', 'retired']) })),
    signing,
    producerKeys: z.array(z.object({ fingerprint: z.string(), userId: z.string() })),
  })
  .meta({ id: 'Repository' });

export const putChannelBody = z.strictObject({
  format,
  distribution: distributionName
    .optional()
    .meta({ description: 'Keeps identities and pools apart: `bookworm`, `el9`. Fixed from the start.' }),
  origin: lineOfText.optional().meta({ description: 'Fixed from the start.' }),
  label: lineOfText.optional().meta({ description: 'Fixed from the start.' }),
  description: lineOfText.optional(),
  components: z
    .array(componentName)
    .min(1)
    .max(32)
    .optional()
    .meta({ description: 'apt only. Can only grow.' }),
  architectures: z
    .array(architectureName)
    .max(64)
    .optional()
    .meta({ description: 'apt only. Can only grow; what is uploaded is added by itself.' }),
  ...channelOptions,
});

export const channelReply = z
  .object({
    repository: repositoryName,
    name: channelName,
    format,
    distribution: z.string().nullable(),
    origin: z.string(),
    label: z.string(),
    description: z.string(),
    components: z.array(z.string()),
    architectures: z.array(z.string()),
    compressions: z.array(z.string()),
    contents: z.boolean().meta({ description: 'Whether it publishes `Contents-<arch>.gz`.' }),
    generation: z.int().meta({ description: 'The head: the generation being served.' }),
    url: z.url().meta({ description: 'What goes into URIs (apt) or baseurl (yum).' }),
    setup: z.array(z.url()).meta({ description: 'Files that set a machine up.' }),
    retention: retention.nullable().optional().meta({ description: 'Without it, that of the repository.' }),
    expiresAt: time.nullable().meta({
      description: 'Of an ephemeral channel: unless something is uploaded before. Null for one that stays.',
    }),
    createdAt: time,
  })
  .meta({ id: 'Channel' });

const packageIdentity = {
  format,
  name: z.string(),
  version: z.string(),
  architecture: z.string(),
};

export const receiptReply = z
  .object({
    package: z.object({
      ...packageIdentity,
      filename: z.string(),
      size: z.int().meta({ description: 'Bytes, as served.' }),
      sha256: sha256.meta({ description: 'Of the file as served: for .rpm, after signing.' }),
      uploadedSha256: sha256.meta({ description: 'Of the file as uploaded.' }),
    }),
    channel: channelName,
    generation: z.int().meta({ description: 'The generation that holds it, which is being served.' }),
    status: z.enum(['created', 'unchanged']),
    url: z.url(),
    findings: z
      .array(z.object({ code: z.string(), message: z.string() }))
      .meta({ description: 'What will trouble some client; the package was accepted all the same.' }),
  })
  .meta({ id: 'Receipt' });

const declared = (what: string) =>
  z
    .string()
    .trim()
    .min(1)
    .max(2000)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'no control characters')
    .optional()
    .meta({ description: `${what}, as the uploader declares it.` });

const declaredQuery = {
  source: declared('The source repository (URL)'),
  commit: declared('The commit'),
  ref: declared('The branch or tag'),
  run: declared('The CI run (URL)'),
  builder: declared('The builder: which CI, which runner'),
};

export const uploadQuery = z.strictObject({
  component: componentName.optional().meta({ description: "apt only; default: the channel's first." }),
  ...declaredQuery,
});

export const stageQuery = z.strictObject({
  distribution: distributionName.optional(),
  ...declaredQuery,
});

export const packageReply = z
  .object({
    ...packageIdentity,
    component: z.string(),
    filename: z.string(),
    size: z.int(),
    sha256,
    uploadedSha256: sha256,
    summary: z.string(),
    addedIn: z.int().meta({ description: 'The generation in which it came.' }),
    url: z.url(),
  })
  .meta({ id: 'Package' });

export const packagesReply = z
  .object({
    packages: z.array(packageReply),
    next: z.string().nullable().meta({ description: 'Pass as `after` for the next page.' }),
  })
  .meta({ id: 'Packages' });

export const listQuery = z.strictObject({
  name: z.string().max(300).optional(),
  after: z.string().max(600).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export const declaredReply = z
  .object({
    source: z.string().nullable(),
    commit: z.string().nullable(),
    ref: z.string().nullable(),
    run: z.string().nullable(),
    builder: z.string().nullable(),
  })
  .meta({ id: 'Declared', description: 'As declared by the uploader; nothing of it is checked.' });

export const packageDetailReply = z
  .object({
    ...packageIdentity,
    distribution: z.string().nullable(),
    filename: z.string(),
    url: z.url(),
    size: z.int(),
    sha256,
    uploadedSize: z.int(),
    uploadedSha256: sha256,
    coreSha256: sha256.meta({ description: 'Of what signing never changes.' }),
    signedBy: z
      .string()
      .nullable()
      .meta({ description: 'Fingerprint of the key that signed the package itself.' }),
    receivedAt: time,
    facts: z.record(z.string(), z.unknown()).meta({ description: 'What the package says of itself.' }),
    files: z.array(z.object({ path: z.string(), type: z.string(), size: z.int(), mode: z.int() })),
    uploads: z.array(
      z.object({
        at: time,
        actor: z.string(),
        token: z.string().nullable(),
        client: z.string(),
        channel: z.string().nullable(),
        filename: z.string(),
        declared: declaredReply,
      }),
    ),
    channels: z.array(
      z.object({
        channel: z.string(),
        component: z.string(),
        addedIn: z.int(),
        removedIn: z.int().nullable(),
      }),
    ),
  })
  .meta({ id: 'PackageDetail' });

export const eventsReply = z
  .object({
    events: z.array(
      z.object({
        id: z.string(),
        at: time,
        kind: z.string(),
        repository: z.string(),
        channel: z.string().nullable(),
        generation: z.int().nullable(),
        package: z.string().nullable(),
        actor: z.string(),
        detail: z.record(z.string(), z.unknown()),
      }),
    ),
    next: z.string().nullable(),
  })
  .meta({ id: 'Events' });

const selector = z
  .strictObject({
    name: z.string().min(1).optional(),
    version: z.string().min(1).optional(),
    architecture: z.string().min(1).optional(),
    source: z.string().min(1).optional().meta({ description: 'Name of the source package.' }),
    sourceVersion: z.string().min(1).optional(),
    sha256: sha256.optional(),
  })
  .refine((value) => Object.values(value).some((item) => item !== undefined), {
    error: 'a selector names something',
  })
  .meta({ id: 'Selector', description: 'Packages that agree with every member that is given.' });

const dryRun = z
  .boolean()
  .default(false)
  .meta({ description: 'Answer with what would be done, and do nothing.' });
const force = z.boolean().default(false).meta({ description: 'Go on where a guard-rail would stop.' });
const plan = sha256
  .optional()
  .meta({ description: 'From a dry run: what would not be that change is refused with `plan_changed`.' });
const selectors = z.array(selector).max(10_000);

export const yankQuery = z.strictObject({ dryRun: z.stringbool().default(false), plan });

export const promotionBody = z.strictObject({
  from: channelName,
  to: channelName,
  packages: selectors
    .min(1)
    .optional()
    .meta({ description: 'Without it, everything that the channel holds.' }),
  exact: z
    .boolean()
    .default(false)
    .meta({ description: 'The target holds just what was chosen afterwards; all else in it goes.' }),
  dryRun,
  force,
  plan,
});

export const resumeReply = z.object({ channel: z.string(), generation: z.int() }).meta({ id: 'Resumed' });

export const rollbackBody = z.strictObject({ generation: z.int().min(1), dryRun, force, plan });

export const publicationBody = z.strictObject({
  add: z
    .array(sha256)
    .max(10_000)
    .default([])
    .meta({ description: 'Digests of packages, as served or as uploaded.' }),
  remove: selectors.default([]),
  component: componentName.optional(),
  dryRun,
  force,
  plan,
});

const packageRef = z
  .object({
    name: z.string(),
    version: z.string(),
    architecture: z.string(),
    component: z.string(),
    sha256,
    size: z.int(),
  })
  .meta({ id: 'PackageRef' });

const move = z
  .object({
    name: z.string(),
    architecture: z.string(),
    component: z.string(),
    from: z.string().nullable(),
    to: z.string().nullable(),
    kind: z.enum(['new', 'upgrade', 'downgrade', 'gone']),
  })
  .meta({ id: 'Move', description: 'What a client that follows the newest version meets.' });

const documentMove = z.object({ kind: z.string(), from: sha256.nullable(), to: sha256.nullable() }).meta({
  id: 'DocumentMove',
  description: 'A document beside the packages, by the digests before and after; null for none.',
});

const difference = {
  added: z.array(packageRef).readonly(),
  removed: z.array(packageRef).readonly(),
  moves: z.array(move).readonly(),
  documents: z.array(documentMove).readonly(),
};

export const differenceReply = z.object(difference).meta({ id: 'Difference' });

export const changeReply = z
  .object({
    channel: z.string(),
    generation: z
      .int()
      .meta({ description: 'Which holds it and is being served; of a dry run, which would be.' }),
    status: z.enum(['published', 'unchanged', 'planned']),
    plan: sha256.meta({ description: 'Names this change: send it along to have just this done.' }),
    ...difference,
    warnings: z
      .array(z.object({ code: z.enum(['downgrade', 'last_version', 'uninstallable']), message: z.string() }))
      .readonly(),
  })
  .meta({ id: 'ChangeReport' });

const generation = {
  generation: z.int(),
  publishedAt: time,
  cause: z.string(),
  actor: z.string(),
  added: z.int(),
  removed: z.int(),
  packages: z.int(),
  url: z
    .url()
    .meta({ description: 'Where this generation stays readable, with a signature that does not expire.' }),
  collected: z.boolean().meta({ description: 'Its files were collected; what it held is still known.' }),
};

export const generationsReply = z
  .object({
    generations: z.array(z.object(generation)),
    next: z.int().nullable().meta({ description: 'Pass as `before` for the next page.' }),
  })
  .meta({ id: 'Generations' });

export const generationParams = channelParams.extend({ generation: z.coerce.number().int().min(1) });
export const generationDetailReply = z
  .object({ ...generation, changes: differenceReply })
  .meta({ id: 'GenerationDetail' });

export const documentParams = channelParams.extend({
  document: z.string().max(64).meta({ description: 'updateinfo, comps or modules.' }),
});
export const documentsReply = z
  .object({
    documents: z.array(
      z.object({
        document: z.string(),
        sha256: sha256.meta({ description: 'Of the text as it was uploaded.' }),
        size: z.int(),
        addedIn: z.int().meta({ description: 'The generation in which it came.' }),
      }),
    ),
  })
  .meta({ id: 'Documents' });

export const stageReply = receiptReply
  .omit({ channel: true, generation: true })
  .meta({ id: 'StageReceipt', description: 'The package is stored; no channel holds it by this.' });

export const pinParams = channelParams.extend({ pin: pinName });
export const pinBody = z.strictObject({
  generation: z.int().min(1).optional().meta({ description: 'Without it, the head.' }),
});
export const pinReply = z
  .object({
    name: pinName,
    generation: z.int(),
    createdAt: time,
    createdBy: z.string(),
    url: z
      .url()
      .meta({ description: 'What goes into URIs (apt) or baseurl (yum) of a machine that is pinned.' }),
  })
  .meta({ id: 'Pin', description: 'A generation with a name, which is kept as long as it has one.' });

export const collectionBody = z.strictObject({
  repository: repositoryName
    .optional()
    .meta({ description: 'Without it, every repository, which needs a token for the whole server.' }),
  dryRun,
});

const collectedFiles = z.array(z.object({ key: z.string(), size: z.int() })).readonly();

export const collectionsReply = z
  .object({
    collections: z.array(
      z.object({
        repository: z.string(),
        generations: z
          .array(z.object({ channel: z.string(), generation: z.int() }))
          .readonly()
          .meta({ description: 'Marked now; their files go an hour later.' }),
        packages: z
          .array(
            z.object({
              ...packageIdentity,
              distribution: z.string().nullable(),
              key: z.string(),
              size: z.int(),
            }),
          )
          .readonly(),
        deleted: collectedFiles.meta({ description: 'Files that are gone now.' }),
        waiting: collectedFiles.meta({ description: 'Files that are to go within the hour.' }),
        bytes: z.object({ deleted: z.int(), waiting: z.int() }),
        retained: z
          .array(changeReply)
          .readonly()
          .meta({ description: 'What left the channels by their retention, a generation each.' }),
        expired: z
          .array(z.string())
          .readonly()
          .meta({ description: 'Ephemeral channels whose time was over.' }),
      }),
    ),
  })
  .meta({ id: 'Collections' });

export const webhookBody = z.strictObject({
  url: z
    .string()
    .max(2000)
    .meta({ description: 'An http or https URL on the internet, or in webhook_allow.' }),
  kinds: z.array(z.enum(webhookKinds)).default([]).meta({ description: 'Kinds of events; empty for all.' }),
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, '"whsec_" and 24 to 64 bytes in base64')
    .optional()
    .meta({ description: '`whsec_` and 24 to 64 bytes in base64; made by the server when it is not given.' }),
});
export const webhookParams = repositoryParams.extend({ id: z.string().max(64) });

const webhook = {
  id: z.string(),
  url: z.string(),
  kinds: z.array(z.string()),
  createdAt: time,
  createdBy: z.string(),
};
export const webhookReply = z.object(webhook).meta({ id: 'Webhook' });
export const newWebhookReply = z
  .object({ ...webhook, secret: z.string() })
  .meta({ id: 'NewWebhook', description: 'The secret is answered this once.' });
export const webhooksReply = z.object({ webhooks: z.array(webhookReply) });

export const deliveryReply = z
  .object({
    id: z.string().meta({ description: 'The same in every attempt, as `webhook-id`.' }),
    kind: z.string(),
    createdAt: time,
    attempts: z.int(),
    nextAt: time.nullable().meta({ description: 'Null once it arrived or was given up.' }),
    triedAt: time.nullable(),
    status: z.int().nullable().meta({ description: 'Of the last answer; null when there was none.' }),
    answer: z.string().meta({ description: 'Its beginning, or why there was none.' }),
    body: z.string(),
  })
  .meta({ id: 'Delivery' });
export const deliveriesReply = z.object({ deliveries: z.array(deliveryReply) });
