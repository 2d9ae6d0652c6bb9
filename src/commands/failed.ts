/** A command that did not do what it was asked, with the words for the person who asked. The exit code is 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}
