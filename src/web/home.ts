import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { repositoryUrl } from './links.ts';
import { count } from './words.ts';

export type RepositoryCard = {
  readonly name: string;
  readonly description: string;
  readonly channels: readonly { readonly name: string; readonly format: string; readonly packages: number }[];
};

/** The first page: the repositories and their channels. */
export function homePage(repositories: readonly RepositoryCard[]): Html {
  return html`
    ${pageHead('Repositories')}
    ${repositories.length === 0 && html`<p>There is no repository that you may see. Make one with the API.</p>`}
    <ul class="cards">
      ${repositories.map(
        (repository) => html`
          <li>
            <h2><a href=${repositoryUrl(repository.name)}>${repository.name}</a></h2>
            <p>${repository.description}</p>
            <ul class="plain">
              ${repository.channels.map((channel) => channelLine(repository.name, channel))}
            </ul>
          </li>
        `,
      )}
    </ul>
  `;
}

function channelLine(repository: string, channel: RepositoryCard['channels'][number]): Html {
  const { name, format, packages } = channel;
  const rest = `, ${format}, ${count(packages, 'package')}`;
  return html`<li><a href=${`${repositoryUrl(repository)}#${name}`}>${name}</a>${rest}</li>`;
}
