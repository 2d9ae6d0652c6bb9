/** The URLs of the pages, each made in one place. */

const segment = encodeURIComponent;

export function repositoryUrl(repository: string): string {
  return `/r/${segment(repository)}`;
}
