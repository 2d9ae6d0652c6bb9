/**
 * Every limit on foreign archives, with its unit and its reason. A loop over bytes that someone uploaded ends
 * at one of these or at the end of the file.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/**
 * How much a compressed part may unpack to. Whichever bound is met first refuses it: `outputBytes` at once,
 * `ratio` (bytes out for each byte in) only after `freeBytes` have come out.
 */
export type Budget = {
  readonly outputBytes: number;
  readonly ratio: number;
  readonly freeBytes: number;
  /**
   * The size of the compressed part where a container says it. The ratio is then that of the whole part, and
   * not of what has been read so far, which real packages that begin with padding drive to 770:1.
   */
  readonly inputBytes?: number;
};

/**
 * What a package installs. The highest ratio of real packages is 228:1 (bitmaps, in Debian's atlc-examples);
 * long lists of small files reach 310:1 and stay under the free part. A small bomb is refused after 64 MiB,
 * which every decoder makes in less than a second.
 */
export const contentBudget: Budget = { outputBytes: 64 * GiB, ratio: 400, freeBytes: 64 * MiB };

/** The control archive: its largest real member is `md5sums`, 12 MiB in packages of 120,000 files. */
export const controlBudget: Budget = { outputBytes: 48 * MiB, ratio: 400, freeBytes: 48 * MiB };

export const limits = {
  /** ar members of one package. dpkg-deb writes 3; signing tools add a few that start with `_`. */
  arMembers: 64,
  /** Bytes of one tar or cpio path, and of a link target: PATH_MAX of Linux. apt stops at 1 MiB. */
  pathBytes: 4096,
  /** Bytes of one pax header. git archive and Python write about 100. */
  paxHeaderBytes: 64 * KiB,
  /** Bytes of one file in an archive: what apt-pkg takes (APT_FILESIZE_LIMIT). */
  fileBytes: 128 * GiB,
  /** Entries of the archive of installed files. The largest Debian packages have 130,000. */
  contentEntries: 400_000,
  /** Entries of a control archive. Real ones have at most about 15. */
  controlEntries: 64,
  /** Characters of a control member's name: MAXCONTROLFILENAME of dpkg. */
  controlNameBytes: 100,
  /** Bytes of the `control` file. The largest in Debian is 90 KiB; a 400 KiB Depends has been seen. */
  controlFileBytes: 1 * MiB,
  /** Bytes of `md5sums`: as the control archive. */
  md5sumsBytes: 32 * MiB,
  /** Bytes of any other control member, as of a maintainer script. Some carry a payload of base64. */
  controlMemberBytes: 4 * MiB,
  /** Members of one gzip file: `cat a.gz b.gz` is legal; a million empty members are a way to burn time. */
  gzipMembers: 256,
  /** Bytes of one gzip member's header: 64 KiB of extra field, a name and a comment. */
  gzipHeaderBytes: 96 * KiB,
  /**
   * Memory of the xz and lzma decoders, in bytes. The largest preset, `xz -9`, has a dictionary of 64 MiB;
   * dpkg-deb and rpm never write more.
   */
  xzMemoryBytes: 80 * MiB,
  /** Base-2 logarithm of the zstd window: libzstd's own default limit, which dpkg, apt and rpm keep. */
  zstdWindowLog: 27,
} as const;
