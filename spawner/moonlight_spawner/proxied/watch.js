// Shows what the page says now; a page of another kind is loaded anew.
const EVERY_MS = { waiting: 1000, desktop: 4000 };

const main = () => document.querySelector('main');

async function look() {
  try {
    // "look": a page that was left open must not start another desktop.
    const answer = await fetch('./?look', { cache: 'no-store' });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const now = page.querySelector('main');
    if (now && now.dataset.page !== main().dataset.page) {
      location.reload();
    } else if (now && now.dataset.page !== 'desktop') {
      main().replaceWith(now);
    }
  } catch {
    // The Jupyter server does not answer at present: what is shown is the last that is known.
  }
  setTimeout(look, EVERY_MS[main().dataset.page]);
}

setTimeout(look, EVERY_MS[main().dataset.page]);
