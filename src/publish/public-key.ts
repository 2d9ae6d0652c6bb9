/** The file of the store that says that a repository is public. Its name is none that is ever served. */
export function publicKey(repository: string): string {
  return `.public/${repository}`;
}

export const publicMark = Buffer.from('public\n');
