import { createElement, type ReactElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { vi } from 'vitest';

import type { PageSettings } from '../src/config';
import { LanguageProvider } from '../src/i18n/Language';
import type { Language } from '../src/i18n/languages';
import { PortalProvider } from '../src/sessions/Portal';
import { SessionDialogs } from '../src/sessions/SessionDialogs';

const usual: PageSettings = {
  baseUrl: '/',
  user: 'alice',
  version: '0',
  hubStart: null,
  job: null,
  only: null,
  can: ['launch', 'logs'],
  sharing: null,
  joinUrl: null,
  largestDownload: null,
  members: false,
};

/** A part of the page as HTML, as it is before anybody touches it. */
export function render(
  part: ReactElement,
  language: Language = 'en',
  changes: Partial<PageSettings> = {},
): string {
  const settings = { ...usual, ...changes };
  // Node.js 18, which may run these tests, has no `navigator`.
  vi.stubGlobal('navigator', { languages: [language] });
  try {
    const page = createElement(SessionDialogs, null, part);
    const portal = createElement(PortalProvider, { settings, children: page });
    return renderToStaticMarkup(createElement(LanguageProvider, null, portal));
  } finally {
    vi.unstubAllGlobals();
  }
}
