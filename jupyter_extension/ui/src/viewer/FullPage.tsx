import type { ReactNode } from 'react';

import { Header } from '../parts/Header';

/** One thing in the middle of the page, below the header. */
export function FullPage({ testId, children }: { testId?: string; children: ReactNode }) {
  return (
    <>
      <Header />
      <main id="content" className="full-page" tabIndex={-1} data-testid={testId}>
        <div className="panel full-panel">{children}</div>
      </main>
    </>
  );
}
