/* Adds buttons that copy. Every page is complete without it. */
'use strict';
for (const place of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) break;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  const header = place.parentElement.querySelector(':scope > header');
  const name = header ? header.textContent.trim() : place.textContent.trim().slice(0, 16);
  button.setAttribute('aria-label', `Copy: ${name}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(place.dataset.copy || place.textContent);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  });
  if (header) header.append(button);
  else place.after(' ', button);
}
