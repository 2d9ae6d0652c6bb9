import { html, type Html } from './html.ts';

export type RepositoryCard = {
  readonly name: string;
  readonly description: string;
  readonly channels: readonly { readonly name: string; readonly format: string; readonly packages: number }[];
};

/** The first page: the repositories and their channels. */
export function homePage(repositories: readonly RepositoryCard[]): Html {
  return html`
    <h1>Repositories</h1>
    ${repositories.length === 0 && html`<p>There is no repository that you may see. Make one with the API.</p>`}
    <ul class="cards">
      ${repositories.map(
        (repository) => html`
          <li>
            <h2><a href="/r/${repository.name}">${repository.name}</a></h2>
            <p>${repository.description}</p>
            <ul class="plain">
              ${repository.channels.map(
                (channel) => html`
                  <li>
                    <a href="/r/${repository.name}#${channel.name}">${channel.name}</a>, ${channel.format},
                    ${' '}${count(channel.packages, 'package')}
                  </li>
                `,
              )}
            </ul>
          </li>
        `,
      )}
    </ul>
  `;
}

/** A number with its noun. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}
