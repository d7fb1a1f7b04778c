import { Component, type ReactNode } from 'react';

import { useSpeech } from '../i18n/Language';
import { Notice } from './Notice';

/** Shows a sentence instead of a white page when a part of it breaks. */
export class PageGuard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    return this.state.broken ? <BrokenPage /> : this.props.children;
  }
}

function BrokenPage() {
  const { t } = useSpeech();
  return (
    <main className="full-page">
      <Notice tone="error" action={{ label: t.reloadPage, run: () => location.reload() }}>
        {t.problem.page}
      </Notice>
    </main>
  );
}
