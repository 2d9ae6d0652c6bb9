/** Something to be copied: commands, or a file of configuration. */
import { html, type Html } from './html.ts';

/** `id` is unique on the page. The button that copies is put in by the script, where there is one. */
export function command(id: string, label: Html | string, text: string): Html {
  return html`
    <div class="command">
      <header id=${id}><span>${label}</span></header>
      <pre tabindex="0" aria-labelledby=${id} data-copy=""><code>${text}</code></pre>
    </div>
  `;
}
