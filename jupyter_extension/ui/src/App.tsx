import { LanguageProvider } from './i18n/Language';
import { HomePage } from './home/HomePage';
import { PageGuard } from './parts/PageGuard';
import { PortalProvider, usePortal } from './sessions/Portal';
import { SessionDialogs } from './sessions/SessionDialogs';
import { JoinPage } from './sharing/JoinPage';
import { ViewerPage } from './viewer/ViewerPage';
import type { PageSettings } from './config';

export function App({ settings, pathname }: { settings: PageSettings; pathname: string }) {
  return (
    <LanguageProvider>
      <PortalProvider settings={settings}>
        <PageGuard>
          <SessionDialogs>
            <Page pathname={pathname} />
          </SessionDialogs>
        </PageGuard>
      </PortalProvider>
    </LanguageProvider>
  );
}

function Page({ pathname }: { pathname: string }) {
  const route = usePortal().door.route(pathname);
  switch (route.page) {
    case 'viewer':
      return <ViewerPage sessionId={route.sessionId} />;
    case 'join':
      return <JoinPage />;
    case 'home':
      return <HomePage />;
  }
}
