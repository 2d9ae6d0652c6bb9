/**
 * Every error a user can meet: its code, HTTP status, title and what to do about it.
 * `docs/errors.md` is made from this table and a test holds the two together.
 */

type ErrorRow = { readonly status: number; readonly title: string; readonly action: string };

const table = {
  // --- requests
  bad_request: {
    status: 400,
    title: 'The request is not well formed',
    action: 'Compare the request with /openapi.json and send it again.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid token was sent',
    action: 'Send "Authorization: Bearer TOKEN", or Basic with the token as the password.',
  },
  forbidden: {
    status: 403,
    title: 'The token may not do this',
    action: 'Use a token with the scope and repository that the detail names.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    action: 'Check the spelling of the repository, the channel and the package.',
  },
  conflict: {
    status: 409,
    title: 'The request contradicts what is stored',
    action: 'Read the detail: it names both sides.',
  },
  length_limit: {
    status: 413,
    title: 'The body is larger than this server accepts',
    action: 'Raise the limit in the configuration, or send a smaller file.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    action: 'Wait for the number of seconds in Retry-After, then send it again.',
  },
  internal: {
    status: 500,
    title: 'The server failed',
    action: 'Try again; if it stays, give the request id to the operator, who finds the cause in the log.',
  },
  unavailable: {
    status: 503,
    title: 'The server cannot do this right now',
    action: 'Try again after the number of seconds in Retry-After.',
  },
  too_many_uploads: {
    status: 503,
    title: 'The server takes no more uploads at the moment',
    action:
      'Send it again after the number of seconds in Retry-After. Operator: max_uploads says how many run at once.',
  },
  store_full: {
    status: 507,
    title: 'The store has no room left',
    action: 'Tell the operator. Nothing of this request was kept, and what is published is not affected.',
  },
  store_unavailable: {
    status: 503,
    title: 'The object store does not do what it is asked',
    action:
      'Send it again after the number of seconds in Retry-After: the same upload or change is taken up where it stopped. Operator: the log names what the store answered.',
  },
  // --- yum packages
  not_an_rpm: {
    status: 422,
    title: 'The file is not an rpm package',
    action: 'Upload the .rpm file that rpmbuild or your packaging tool wrote.',
  },
  rpm_header_malformed: {
    status: 422,
    title: 'The structure of the rpm package is broken',
    action: 'Build the package again, and check it with "rpm -qp" before you upload it.',
  },
  rpm_digest_mismatch: {
    status: 422,
    title: 'The rpm package does not match its own digests',
    action:
      'It was damaged or changed after it was built: check it with "rpmkeys -K" and upload a whole copy.',
  },
  rpm_tag_invalid: {
    status: 422,
    title: 'A tag of the rpm package is missing or contradicts another',
    action: 'Build the package again with a current rpmbuild, nfpm or rpm-rs.',
  },
  rpm_text_invalid: {
    status: 422,
    title: 'The rpm package holds text that repository metadata cannot carry',
    action:
      'Remove the control character from the place named (spec file, change log or file name) and build again.',
  },
  rpm_identity_invalid: {
    status: 422,
    title: 'The name, version, release or architecture of the rpm package cannot be published',
    action:
      'Names take letters, digits and . _ + -; versions and releases letters, digits and . _ + ~ ^; see docs/formats.md.',
  },
  rpm_payload_mismatch: {
    status: 422,
    title: 'The payload of the rpm package is not what its header says',
    action: 'Build the package again; clients would install other files than the index lists.',
  },
  rpm_unsupported: {
    status: 422,
    title: 'This kind of rpm package cannot be published',
    action: 'Read the detail: it names the feature that clients could not use.',
  },
  rpm_limit: {
    status: 413,
    title: 'The rpm package is over a limit of this server',
    action: 'Split the package: the detail names the limit.',
  },
  repomd_malformed: {
    status: 422,
    title: 'repomd.xml cannot be read',
    action: 'Run "entrepot fsck": it writes the pointers again from the catalog.',
  },
  // --- documents beside the packages of a yum channel
  document_malformed: {
    status: 422,
    title: 'The document is not well-formed XML or YAML',
    action: 'Correct the line named; send it uncompressed, in UTF-8, without entities and a DTD of its own.',
  },
  document_invalid: {
    status: 422,
    title: 'The document says something that clients could not use',
    action: 'Correct the line and field named; see docs/formats.md.',
  },
  document_limit: {
    status: 413,
    title: 'The document is over a limit of this server',
    action: 'Flatten what the detail names: documents of distributions stay far below it.',
  },
  // --- archives
  archive_truncated: {
    status: 422,
    title: 'The file ends before it should',
    action:
      'It was cut while it was copied or uploaded: compare its size and digest with the original, and send it again.',
  },
  ar_header: {
    status: 422,
    title: 'The ar container of the package is broken',
    action:
      'Build the package again with dpkg-deb or another current tool; names and sizes must be in plain ar form.',
  },
  tar_entry: {
    status: 422,
    title: 'A tar archive in the package holds something that tools read in different ways',
    action:
      'Build the package again with dpkg-deb, or set your tool to the GNU tar format; the detail names the entry.',
  },
  cpio_entry: {
    status: 422,
    title: 'The cpio archive in the package is broken',
    action: 'Build the package again; the detail names the entry.',
  },
  compressed_data: {
    status: 422,
    title: 'A compressed part of the package cannot be read the same way by every tool',
    action: 'Build the package again with one ordinary gzip, xz or zstd stream, with nothing after it.',
  },
  decompression_bomb: {
    status: 413,
    title: 'A part of the package unpacks to more than this server reads',
    action: 'Split the package, or store what it pads with zeros in another way; the detail names the limit.',
  },
  archive_limit: {
    status: 413,
    title: 'The package is over a limit of this server',
    action: 'Split the package: the detail names the limit.',
  },
  // --- apt packages
  not_a_deb: {
    status: 422,
    title: 'The file is not a Debian binary package',
    action: 'Upload the .deb file that dpkg-deb or your packaging tool wrote.',
  },
  deb_unsupported: {
    status: 422,
    title: 'This kind of Debian package cannot be published',
    action: 'Read the detail: it names the feature that apt or dpkg could not use.',
  },
  deb_member: {
    status: 422,
    title: 'The members of the Debian package are not in the order that deb(5) asks for',
    action:
      'Build the package again with dpkg-deb: debian-binary, control.tar and data.tar, each once and in this order.',
  },
  control_archive: {
    status: 422,
    title: 'The control archive of the package holds something other than plain control files',
    action: 'Build the package again: control.tar holds ./control and scripts as plain files, each once.',
  },
  control_syntax: {
    status: 422,
    title: 'The control file of the package is malformed',
    action: 'Correct the line named (deb-control(5)) and build the package again.',
  },
  control_field: {
    status: 422,
    title: 'A field of the control file cannot be published',
    action: 'Correct the field named (deb-control(5), Debian policy 5) and build the package again.',
  },
  data_entry: {
    status: 422,
    title: 'The package installs a file whose name or place is doubtful',
    action: 'Correct the entry named and build the package again; paths are relative to the root and plain.',
  },
  md5sums_mismatch: {
    status: 422,
    title: 'The files in the package do not match its own md5sums',
    action:
      'The package was changed after it was built: build it again, or run dh_md5sums after the last change.',
  },
  release_malformed: {
    status: 422,
    title: 'A Release file cannot be read',
    action: 'Run "entrepot fsck": it writes the pointers again from the catalog.',
  },
  // --- keys and signatures
  openpgp_malformed: {
    status: 422,
    title: 'The OpenPGP key or signature cannot be read',
    action: 'Export it again, armoured, and compare the place that the detail names.',
  },
  signature_bad: {
    status: 422,
    title: 'A signature does not match what it signs',
    action: 'The document or the signature was changed or damaged: run "entrepot fsck", which signs again.',
  },
  signature_key_unknown: {
    status: 422,
    title: 'No signature is by a key of this repository',
    action: 'Compare the fingerprint in the detail with "entrepot key list".',
  },
  signing_failed: {
    status: 503,
    title: 'The server could not sign',
    action: 'Try again. Operator: the log names what the key file, HSM or key service answered.',
  },
  signing_time: {
    status: 503,
    title: 'The clock of the server is before the signing key was made',
    action: 'Operator: set the clock right, or use a key that was made before now.',
  },
  text_unsignable: {
    status: 422,
    title: 'The text cannot be signed in clear',
    action: 'Remove what the detail names: clients would not read it as it was signed.',
  },
  key_file_unreadable: {
    status: 500,
    title: 'The key file cannot be read',
    action: 'Check that the file is there and belongs to the user that the server runs as.',
  },
  key_file_permissions: {
    status: 500,
    title: 'The key file can be read by others',
    action: 'Run "chmod 600" on it; if others may have read it, make a new key.',
  },
  key_file_exists: {
    status: 409,
    title: 'There is a key file of this name already',
    action: 'Move it away first, and keep it: clients trust the key in it.',
  },
  key_passphrase: {
    status: 422,
    title: 'The passphrase does not open the private key',
    action: 'Set ENTREPOT_KEY_PASSPHRASE or ENTREPOT_KEY_PASSPHRASE_FILE to the passphrase of the key.',
  },
  key_user_id: {
    status: 422,
    title: 'The user id of the key is not valid',
    action: 'Give a name and an address, such as "Acme packages <packages@acme.example>".',
  },
  key_algorithm: {
    status: 422,
    title: 'The key has an algorithm or size that not every client accepts',
    action:
      'Use an RSA key of 3072 to 8192 bits ("entrepot key generate" makes one), or Ed25519 for new clients.',
  },
  key_self_signature: {
    status: 422,
    title: 'The key has no user id with a certification that clients accept',
    action:
      'Certify it again with SHA-512: "gpg --cert-digest-algo SHA512 --quick-set-expire FINGERPRINT 0", then export it.',
  },
  key_expired: {
    status: 422,
    title: 'The key has expired',
    action:
      'Extend the same key, "gpg --quick-set-expire FINGERPRINT 0", import it again, and give it to clients.',
  },
  key_revoked: {
    status: 422,
    title: 'The key is revoked',
    action: 'Use another key; every client needs its public half before it signs.',
  },
  key_cannot_sign: {
    status: 422,
    title: 'The primary key cannot sign',
    action:
      'Use a key whose primary key signs, exported whole: rpm and dnf do not find subkeys ("entrepot key generate").',
  },
  // --- packages that others have signed
  producer_key_unknown: {
    status: 422,
    title: 'The package is signed by a key that the repository does not know',
    action:
      'Give the key to the repository ("producerKeys"), if you trust who holds it, or upload the package unsigned.',
  },
  producer_signature_missing: {
    status: 422,
    title: 'The package is not signed, and the repository takes signed packages only',
    action: "Sign it with rpmsign and one of the keys of the repository's producers, and upload it again.",
  },
  producer_signature_bad: {
    status: 422,
    title: 'A signature of the package does not hold',
    action:
      'Sign the package again (SHA-256 or SHA-512, header and payload) and check it with "rpmkeys -Kv".',
  },
  producer_keys_missing: {
    status: 422,
    title: 'The signing policy needs the keys of producers',
    action: 'Send "producerKeys" with it: the armoured public keys that packages may be signed with.',
  },
  packages_unverifiable: {
    status: 409,
    title: 'Channels hold packages that machines could not check any more',
    action:
      'Yank the packages that are named, or leave the policy and the keys as they are: new machines check every ' +
      'package with the keys of the repository and its producers.',
  },
  producer_keys_limit: {
    status: 422,
    title: 'There are too many keys of producers, or one is too large',
    action:
      'Send the keys that sign packages alone, exported with "gpg --export --armor --export-options minimal".',
  },
  // --- uploads and channels
  webhook_url: {
    status: 422,
    title: 'A webhook cannot lead there',
    action:
      'Use an http or https URL on the internet, or ask the operator to list its network in webhook_allow.',
  },
  digest_mismatch: {
    status: 422,
    title: 'The bytes that arrived are not those that the request names',
    action: 'Upload again. If it stays, something between client and server changes the file.',
  },
  upload_aborted: {
    status: 400,
    title: 'The upload ended early',
    action: 'Upload again; nothing of the first attempt was kept.',
  },
  upload_stalled: {
    status: 408,
    title: 'The upload stood still',
    action: 'Upload again, or raise upload_idle_timeout for slow links.',
  },
  identity_conflict: {
    status: 409,
    title: 'Other bytes are stored under this name, version and architecture',
    action: 'Raise the version: an identity maps to one content for ever, so that no machine sees two.',
  },
  channel_expired: {
    status: 410,
    title: 'The channel has expired',
    action:
      'Upload a package into it: while the repository allows such channels it comes back. Or use another one.',
  },
  ephemeral_limit: {
    status: 409,
    title: 'There are as many channels of this kind as the repository allows',
    action: 'Wait until one of them expires, or raise "limit" in the "ephemeral" setting of the repository.',
  },
  fixed_at_publication: {
    status: 409,
    title: 'This cannot change once the channel has been published',
    action: 'Make another channel: apt refuses a repository whose Origin, Label or Codename changes.',
  },
  needs_force: {
    status: 409,
    title: 'The change would take something away from machines',
    action: 'Look at the dry run, and send it again with "force": true if it is meant.',
  },
  plan_changed: {
    status: 409,
    title: 'The change is no longer the one that was looked at',
    action: 'Look at the dry run again, and send the request with the plan that it answers.',
  },
  package_collected: {
    status: 409,
    title: 'A file that this needs was collected',
    action: 'Upload the package again, or raise what retention keeps before it is needed.',
  },
  served_bytes_needed: {
    status: 409,
    title: 'The file was collected and cannot be made again from the upload',
    action: 'Upload the file as it was served, from a mirror, a backup or the cache of a machine.',
  },
  promotion_mismatch: {
    status: 409,
    title: 'Packages cannot be promoted between these two channels',
    action: 'Promote between channels of one format and one distribution.',
  },
  wrong_format: {
    status: 422,
    title: 'The channel takes packages of the other format',
    action: 'Upload .deb files to an apt channel and .rpm files to a yum channel.',
  },
  intake_timeout: {
    status: 422,
    title: 'Reading the package took too long',
    action: 'If the package is sound, raise intake_timeout.',
  },
  intake_memory: {
    status: 422,
    title: 'Reading the package took too much memory',
    action: 'Split the package: it lists more files, or has larger fields, than any package that is known.',
  },
  catalog_unavailable: {
    status: 503,
    title: 'The catalog does not answer',
    action:
      'Try again after the number of seconds in Retry-After: reading goes on meanwhile, and a push that failed may be repeated as it is. The operator finds the cause in the log.',
  },
  catalog_newer: {
    status: 503,
    title: 'The catalog is of a newer version',
    action:
      'Run the newest version of Entrepot that the catalog was used with; an older one needs a backup from before. The server was not started, or has ended itself.',
  },
  catalog_not_empty: {
    status: 409,
    title: 'The catalog to copy into holds something already',
    action: 'Name an empty database: one that a server has started on has rows. Nothing was written.',
  },
  catalog_versions: {
    status: 409,
    title: 'The two catalogs are of different versions',
    action: 'Run the command with the newest version of Entrepot that either of them was used with.',
  },
  catalog_copy_differs: {
    status: 500,
    title: 'The copy of the catalog is not what was read',
    action:
      'Nothing was kept: the source is as it was. Look for a trigger, a rule or another program on the target, and use a database of its own with the encoding UTF8.',
  },
  data_in_use: {
    status: 503,
    title: 'The data directory is in use',
    action: 'Stop the other server first, or give this one a directory of its own with --data.',
  },
  tls_unreadable: {
    status: 500,
    title: 'The TLS certificate or its key cannot be read',
    action:
      'Check tls_certificate and tls_key: both PEM, the key without a passphrase, and readable by the user that the server runs as.',
  },
  tls_mismatch: {
    status: 500,
    title: 'The TLS certificate and the key do not belong together',
    action: 'Set tls_certificate and tls_key to the two files of one renewal: fullchain.pem and privkey.pem.',
  },
  tls_expired: {
    status: 500,
    title: 'The TLS certificate is not valid now',
    action: 'Renew it and see that its files are replaced; look at the clock of the server as well.',
  },
  backup_damaged: {
    status: 503,
    title: 'The backup cannot be restored',
    action: 'Take another backup, or restore the files one by one.',
  },
  channel_ahead: {
    status: 503,
    title: 'Clients have seen more of the channel than the catalog knows',
    action:
      'The catalog was restored from before. Restore a newer one, or publish what it says with "entrepot resume CHANNEL --repository REPOSITORY".',
  },
  key_missing: {
    status: 503,
    title: 'The signing key of the repository is not there',
    action: 'Restore the key file, or make a key with "entrepot key generate REPOSITORY".',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof table;

/** The rows by code, for the error reference and the problem details. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = table;

/** Where in the input a fault stands. Offsets are bytes from the start of `part`; lines count from 1. */
export type Place = {
  /** What was being read, outermost first: `control.tar.xz/control`, `signature header`. */
  readonly part?: string;
  readonly line?: number;
  readonly offset?: number;
  readonly field?: string;
  /** An RPM tag by name, or by number when it has none. */
  readonly tag?: string;
  /** The name of an archive member. */
  readonly entry?: string;
};

/**
 * A failure with a code. `detail` is one sentence for the person who gets it, and says what is wrong with
 * what they sent; `cause` is for the log only.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly place: Place | undefined;

  constructor(code: ErrorCode, detail: string, place?: Place, options?: { cause?: unknown }) {
    super(detail, options);
    this.code = code;
    this.place = place;
  }

  get status(): number {
    return table[this.code].status;
  }
}
